/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * indexed.c -- an index of a cache's regions, and the slots that it is of.
 */
#include "support/indexed.h"

#include "support/test.h"

struct pinreg_slots indexed_slots;
struct pinreg_index indexed_it;

void indexed_open(uint32_t max)
{
	test_ok(pinreg_slots_open(&indexed_slots, &pinreg_sys_real, max));
	indexed_it = (struct pinreg_index){ .slots = &indexed_slots };
}

void indexed_put(uint32_t slot, uint64_t start, uint64_t last)
{
	indexed_slots.regions[slot].addr = start;
	indexed_slots.regions[slot].length = last - start + 1;
}
