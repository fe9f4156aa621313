/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shadow.c -- pinned memory that stands in for a range which cannot be pinned.
 */
#include "region/shadow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "region/populate.h"

int pinreg_shadow_make(struct pinreg_device *device, const struct pinreg_decision *decision,
		       struct pinreg_shadow **out)
{
	const struct pinreg_plan *plan = &decision->plan;
	uint64_t within = plan->addr % device->sys->page_size();
	struct pinreg_populate how = {
		.write = true,
		.huge = true,
		.threads = decision->opts.threads,
		.progress = decision->opts.progress,
		.context = decision->opts.progress_context,
	};
	struct pinreg_shadow *shadow = calloc(1, sizeof(*shadow));
	if (!shadow)
		return -ENOMEM;
	shadow->mapped_length = plan->length + within;
	shadow->length = plan->length;
	shadow->home = (unsigned char *)(uintptr_t)plan->addr;
	int status = device->sys->map_anonymous(shadow->mapped_length, &shadow->mapped);
	if (!status)
		status = pinreg_populate_range(device, shadow->mapped, shadow->mapped_length, &how);
	if (status) {
		pinreg_shadow_free(device, shadow);
		return status;
	}
	shadow->memory = (unsigned char *)shadow->mapped + within;
	*out = shadow;
	return 0;
}

void pinreg_shadow_free(struct pinreg_device *device, struct pinreg_shadow *shadow)
{
	if (!shadow)
		return;
	if (shadow->mapped)
		device->sys->unmap(shadow->mapped, shadow->mapped_length);
	free(shadow);
}

void pinreg_shadow_to_home(struct pinreg_shadow *shadow, uint64_t offset, uint64_t length)
{
	memcpy(shadow->home + offset, shadow->memory + offset, length);
}

void pinreg_shadow_from_home(struct pinreg_shadow *shadow, uint64_t offset, uint64_t length)
{
	memcpy(shadow->memory + offset, shadow->home + offset, length);
}
