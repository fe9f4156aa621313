/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shadow.h -- pinned memory that stands in for a range which cannot be pinned.
 */
#ifndef PINREG_REGION_SHADOW_H
#define PINREG_REGION_SHADOW_H

#include <stdint.h>

#include "plan/planner.h"

struct pinreg_shadow {
	unsigned char *memory; /* at the same place in its page as the range */
	unsigned char *home;
	uint64_t length;
	void *mapped;
	uint64_t mapped_length;
};

/* Memory for the range of a plan; not yet a copy of it. 0 or -errno. */
int pinreg_shadow_make(struct pinreg_device *device, const struct pinreg_decision *decision,
		       struct pinreg_shadow **out);

/* NULL does nothing. */
void pinreg_shadow_free(struct pinreg_device *device, struct pinreg_shadow *shadow);

/* Copy a part home, or out of home. */
void pinreg_shadow_to_home(struct pinreg_shadow *shadow, uint64_t offset, uint64_t length);
void pinreg_shadow_from_home(struct pinreg_shadow *shadow, uint64_t offset, uint64_t length);

#endif
