/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * emptied.h -- memory that a thread is about to empty.
 *
 * The message about madvise(MADV_DONTNEED) comes before the pages go, and nothing tells
 * when they have gone. What is pinned in between leads to pages that nobody finds at the
 * address any more. So a range is listed when its message has been read, for as long as
 * the thread may reasonably need to be run once; what is registered meanwhile is right for
 * who asked, who races with the emptying anyhow, but not for who asks later.
 */
#ifndef PINREG_CACHE_EMPTIED_H
#define PINREG_CACHE_EMPTIED_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define PINREG_EMPTIED_ROOM 64u
#define PINREG_EMPTIED_NS 1000000000u

struct pinreg_emptied_range {
	uint64_t start, end;
	uint64_t until_ns;
};

struct pinreg_emptied {
	pthread_mutex_t lock; /* nothing is done under it but to look at what is here */
	struct pinreg_emptied_range ranges[PINREG_EMPTIED_ROOM];
	uint64_t all_until_ns; /* one was too many: until then any range may be meant */
	_Atomic(bool) ever;    /* there was a range */
};

void pinreg_emptied_open(struct pinreg_emptied *emptied);
void pinreg_emptied_close(struct pinreg_emptied *emptied);

void pinreg_emptied_add(struct pinreg_emptied *emptied, uint64_t start, uint64_t end,
			uint64_t now_ns);

/* False: none was ever added, which is cheap to know. */
static inline bool pinreg_emptied_ever(struct pinreg_emptied *emptied)
{
	return atomic_load_explicit(&emptied->ever, memory_order_relaxed);
}

/* May a part of [start, end) still be about to be emptied? */
bool pinreg_emptied_touches(struct pinreg_emptied *emptied, uint64_t start, uint64_t end,
			    uint64_t now_ns);

#endif
