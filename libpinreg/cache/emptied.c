/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * emptied.c -- memory that a thread is about to empty.
 */
#include "cache/emptied.h"

#include <string.h>

void pinreg_emptied_open(struct pinreg_emptied *emptied)
{
	memset(emptied, 0, sizeof(*emptied));
	pthread_mutex_init(&emptied->lock, NULL);
}

void pinreg_emptied_close(struct pinreg_emptied *emptied)
{
	pthread_mutex_destroy(&emptied->lock);
}

/*
 * One that it continues: who gives back a heap does so piece by piece. Or one that is over;
 * or the oldest.
 */
static unsigned int place_for(const struct pinreg_emptied *emptied, uint64_t start, uint64_t end,
			      uint64_t now_ns)
{
	unsigned int oldest = 0;
	for (unsigned int i = 0; i < PINREG_EMPTIED_ROOM; i++) {
		const struct pinreg_emptied_range *range = &emptied->ranges[i];
		if (range->until_ns > now_ns && range->start <= end && start <= range->end)
			return i;
		if (range->until_ns < emptied->ranges[oldest].until_ns)
			oldest = i;
	}
	return oldest;
}

void pinreg_emptied_add(struct pinreg_emptied *emptied, uint64_t start, uint64_t end,
			uint64_t now_ns)
{
	atomic_store(&emptied->ever, true);
	pthread_mutex_lock(&emptied->lock);
	unsigned int place = place_for(emptied, start, end, now_ns);
	struct pinreg_emptied_range *range = &emptied->ranges[place];
	if (range->until_ns <= now_ns) {
		range->start = start;
		range->end = end;
	} else if (range->start <= end && start <= range->end) {
		range->start = start < range->start ? start : range->start;
		range->end = end > range->end ? end : range->end;
	} else {
		if (range->until_ns > emptied->all_until_ns)
			emptied->all_until_ns = range->until_ns;
		range->start = start;
		range->end = end;
	}
	range->until_ns = now_ns + PINREG_EMPTIED_NS;
	pthread_mutex_unlock(&emptied->lock);
}

bool pinreg_emptied_touches(struct pinreg_emptied *emptied, uint64_t start, uint64_t end,
			    uint64_t now_ns)
{
	pthread_mutex_lock(&emptied->lock);
	bool touches = emptied->all_until_ns > now_ns;
	for (unsigned int i = 0; !touches && i < PINREG_EMPTIED_ROOM; i++)
		touches = emptied->ranges[i].until_ns > now_ns && emptied->ranges[i].start < end &&
			  start < emptied->ranges[i].end;
	pthread_mutex_unlock(&emptied->lock);
	return touches;
}
