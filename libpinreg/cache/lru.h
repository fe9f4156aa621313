/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lru.h -- which region of a cache was used longest ago.
 *
 * Who uses a region only writes its stamp, and not even that where it is written already.
 * The heap is ordered by the stamps as they were when it last looked (recorded): a stamp
 * only grows, so whatever is on top by its old one, and has no newer one, is the oldest.
 * Who has a newer one is moved down by it, when it comes to the top and not before.
 *
 * Stamps wrap, and are compared by their difference, so none may fall 2^31 behind. Each
 * add looks at the top for that: what was used since is moved down, and what was not used for
 * 2^30 counts from then on as used that long ago. That is enough as long as the clock does
 * not go on by 2^30 within as many adds as there are slots. Where it does a region may
 * go earlier or later than its turn is, and nothing else comes of it.
 *
 * ASSUMPTIONS: the caller holds the cache's lock; stamps may be written all the same.
 */
#ifndef PINREG_CACHE_LRU_H
#define PINREG_CACHE_LRU_H

#include <stdint.h>

#include "cache/slots.h"

#define PINREG_LRU_LONG_AGO (1u << 30)

struct pinreg_lru {
	struct pinreg_slots *slots;
	uint32_t *heap; /* from [1] on; who is at i is no newer than those at 2i and 2i + 1 */
	uint32_t count;
};

/* For all of slots, which stay the caller's. 0 or -errno. */
int pinreg_lru_open(struct pinreg_lru *lru, const struct pinreg_sys *sys,
		    struct pinreg_slots *slots);
void pinreg_lru_close(struct pinreg_lru *lru, const struct pinreg_sys *sys);

/* With the stamp it has, which is now's. O(log n). ASSUMPTIONS: it is not there yet. */
void pinreg_lru_add(struct pinreg_lru *lru, uint32_t slot);

/* O(log n). ASSUMPTIONS: it is there. */
void pinreg_lru_remove(struct pinreg_lru *lru, uint32_t slot);

/*
 * The one with the oldest stamp, which stays; 0: there is none. O(log n) for each that
 * was used since it was last on top, so a use costs no more than that, however
 * often somebody asks. Where others are writing stamps meanwhile it is one that was the oldest
 * of those as they were seen.
 */
uint32_t pinreg_lru_oldest(struct pinreg_lru *lru);

/* It cannot go now: take it for used at now, until it has a newer stamp. O(log n). */
void pinreg_lru_touch(struct pinreg_lru *lru, uint32_t slot, uint32_t now);

#endif
