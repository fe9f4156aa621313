/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * known.c -- mappings of which a region has been made and kept not long ago.
 */
#include "cache/known.h"

#include <stdbool.h>
#include <stddef.h>

/* Of one that lies within it; or of the oldest. */
static unsigned int place_for(struct pinreg_known *known, uint64_t start, uint64_t end,
			      unsigned int access)
{
	for (unsigned int i = 0; i < PINREG_KNOWN_ROOM; i++)
		if (start <= known->mappings[i].start && known->mappings[i].end <= end &&
		    known->mappings[i].end && known->mappings[i].access == access)
			return i;
	return known->next++ % PINREG_KNOWN_ROOM;
}

void pinreg_known_add(struct pinreg_known *known, uint64_t start, uint64_t end, unsigned int access,
		      const struct pinreg_region_facts *facts)
{
	if (pinreg_known_find(known, start, end, access))
		return;
	unsigned int place = place_for(known, start, end, access);
	known->mappings[place].start = start;
	known->mappings[place].end = end;
	known->mappings[place].access = access;
	known->mappings[place].facts = facts;
}

/* No further from it than it is long. */
static bool is_beside(uint64_t start, uint64_t end, uint64_t known_start, uint64_t known_end)
{
	uint64_t gap = start >= known_end ? start - known_end : 0;
	if (end <= known_start)
		gap = known_start - end;
	return gap <= known_end - known_start;
}

uint64_t pinreg_known_block(const struct pinreg_known *known, uint64_t start, uint64_t end)
{
	uint64_t length = 0, block = PINREG_KNOWN_BLOCK;
	for (unsigned int i = 0; i < PINREG_KNOWN_ROOM; i++) {
		uint64_t its_start = known->mappings[i].start, its_end = known->mappings[i].end;
		if (is_beside(start, end, its_start, its_end) && its_end - its_start > length)
			length = its_end - its_start;
	}
	while (block < PINREG_KNOWN_BLOCK_MAX && block < 4 * length)
		block *= 2;
	return block;
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
