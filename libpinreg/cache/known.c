/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * known.c -- mappings of which a region has been made and kept not long ago.
 */
#include "cache/known.h"

#include <stddef.h>

void pinreg_known_add(struct pinreg_known *known, uint64_t start, uint64_t end, unsigned int access,
		      const struct pinreg_region_facts *facts)
{
	if (pinreg_known_find(known, start, end, access))
		return;
	unsigned int place = known->next++ % PINREG_KNOWN_ROOM;
	known->mappings[place].start = start;
	known->mappings[place].end = end;
	known->mappings[place].access = access;
	known->mappings[place].facts = facts;
}

const struct pinreg_region_facts *pinreg_known_find(const struct pinreg_known *known,
						    uint64_t start, uint64_t end,
						    unsigned int access)
{
	for (unsigned int i = 0; i < PINREG_KNOWN_ROOM; i++)
		if (known->mappings[i].start <= start && end <= known->mappings[i].end &&
		    known->mappings[i].access == access)
			return known->mappings[i].facts;
	return NULL;
}

void pinreg_known_forget(struct pinreg_known *known, uint64_t start, uint64_t end)
{
	for (unsigned int i = 0; i < PINREG_KNOWN_ROOM; i++)
		if (known->mappings[i].start < end && start < known->mappings[i].end)
			known->mappings[i].start = known->mappings[i].end = 0;
}
