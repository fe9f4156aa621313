/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slots.c -- room for a cache's regions, and which of it is free.
 */
#include "cache/slots.h"

_Static_assert(sizeof(struct pinreg_slot_links) == 24, "what a region costs is counted");

/* Pages that are not touched take no memory, so all of it is mapped at once. */
static uint64_t size_of_regions(uint32_t max)
{
	return ((uint64_t)max + 1) * sizeof(struct pinreg_region);
}

static uint64_t size_of_links(uint32_t max)
{
	return ((uint64_t)max + 1) * sizeof(struct pinreg_slot_links);
}

int pinreg_slots_open(struct pinreg_slots *slots, const struct pinreg_sys *sys, uint32_t max)
{
	void *regions, *links;
	/* pages: a region never shares its cache line with another */
	int status = sys->map_anonymous(size_of_regions(max), &regions);
	if (status)
		return status;
	status = sys->map_anonymous(size_of_links(max), &links);
	if (status) {
		sys->unmap(regions, size_of_regions(max));
		return status;
	}
	*slots = (struct pinreg_slots){ .regions = regions, .links = links, .max = max };
	return 0;
}

void pinreg_slots_close(struct pinreg_slots *slots, const struct pinreg_sys *sys)
{
	sys->unmap(slots->links, size_of_links(slots->max));
	sys->unmap(slots->regions, size_of_regions(slots->max));
	*slots = (struct pinreg_slots){ 0 };
}

uint32_t pinreg_slots_take(struct pinreg_slots *slots)
{
	uint32_t slot = slots->free;
	if (slot)
		slots->free = slots->links[slot].heap;
	else if (slots->used < slots->max)
		slot = ++slots->used;
	if (slot)
		slots->links[slot] = (struct pinreg_slot_links){ 0 };
	return slot;
}

void pinreg_slots_release(struct pinreg_slots *slots, uint32_t slot)
{
	slots->links[slot].heap = slots->free;
	slots->free = slot;
}
