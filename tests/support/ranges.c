/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ranges.c -- ranges of slots in a list, which is looked through from end to end.
 */
#include "support/ranges.h"

#include <string.h>

void ranges_insert(struct ranges *ranges, struct range range)
{
	struct range *in = ranges->in;
	uint32_t at = ranges->count++;
	while (at && (in[at - 1].start > range.start ||
		      (in[at - 1].start == range.start && in[at - 1].slot > range.slot))) {
		in[at] = in[at - 1];
		at--;
	}
	in[at] = range;
}

void ranges_remove(struct ranges *ranges, uint32_t at)
{
	struct range *in = ranges->in;
	memmove(&in[at], &in[at + 1], (--ranges->count - at) * sizeof(in[0]));
}

uint32_t ranges_touching(const struct ranges *ranges, struct range query, uint32_t from)
{
	const struct range *in = ranges->in;
	while (from < ranges->count && (in[from].start > query.last || in[from].last < query.start))
		from++;
	return from;
}
