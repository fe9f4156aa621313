/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ranges.h -- ranges of slots in a list, which is looked through from end to end.
 */
#ifndef PINREG_TESTS_SUPPORT_RANGES_H
#define PINREG_TESTS_SUPPORT_RANGES_H

#include <stdint.h>

#define RANGES_MOST 4096u

/* last as a byte, so that nothing wraps. */
struct range {
	uint64_t start, last;
	uint32_t slot;
};

/* In order of start, then of number. */
struct ranges {
	struct range in[RANGES_MOST];
	uint32_t count;
};

/* ASSUMPTIONS: there is room. */
void ranges_insert(struct ranges *ranges, struct range range);
void ranges_remove(struct ranges *ranges, uint32_t at);

/* The place of the next that touches, from a place on; count: none. */
uint32_t ranges_touching(const struct ranges *ranges, struct range query, uint32_t from);

#endif
