/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * region.h -- one registration inside the library.
 */
#ifndef PINREG_REGION_REGION_H
#define PINREG_REGION_REGION_H

#include <pinreg/region.h>

#include "plan/device.h"
#include "region/set.h"

struct pinreg_region {
	struct pinreg_device *device;
	struct pinreg_region_set *set;
	struct pinreg_persist *persist; /* the file's; NULL: nothing is durable here */
	struct pinreg_plan plan;	/* what was decided and done */
	/* under set->lock */
	struct ibv_mr *mr; /* NULL while fenced */
	struct pinreg_region *next;
	struct pinreg_region **link; /* what points to this region */
};

/* What a region is to be made on. */
struct pinreg_region_place {
	struct pinreg_device *device;
	struct pinreg_region_set *set;
	struct pinreg_persist *persist; /* or NULL */
	uint64_t st_dev;		/* of a prepared file, else 0 */
};

/* As pinreg_region_register(); *why (may be NULL) is always filled in. */
int pinreg_region_make(const struct pinreg_region_place *place, void *addr, uint64_t length,
		       const struct pinreg_region_opts *opts, struct pinreg_why *why,
		       struct pinreg_region **out);

/* Carry out the plan: region->mr becomes live. 0, or -errno with *why. */
int pinreg_region_attach(struct pinreg_region *region, struct pinreg_why *why);

/* The reverse. 0, or -errno; then it is still attached. */
int pinreg_region_detach(struct pinreg_region *region);

#endif
