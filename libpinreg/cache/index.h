/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * index.h -- which regions of a cache touch a range of addresses, and which contain it.
 *
 * A treap of slot numbers: a search tree by start address, then by number, so any number
 * of regions may begin at one address or have the same range; and a heap by a hash of the
 * number, which keeps it as deep as a tree that was grown in random order: about
 * 2 ln(regions) on average, and it needs no memory to say so. In each place is written how
 * far those below it reach (max_last), so who looks for a range passes by what ends before.
 *
 * Nothing here recurses or takes memory, however deep the tree is. What is said to take
 * O(log n) does so on average over the hash.
 *
 * Ranges may reach the top of the address space: an end of 0 is that.
 * ASSUMPTIONS: the caller holds the cache's lock; no region is empty; addr and length of
 * one that is in the index do not change.
 */
#ifndef PINREG_CACHE_INDEX_H
#define PINREG_CACHE_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "cache/slots.h"

/* Empty with root 0. */
struct pinreg_index {
	struct pinreg_slots *slots;
	uint32_t root;
};

/* O(log n). ASSUMPTIONS: the slot is not in the index. */
void pinreg_index_insert(struct pinreg_index *index, uint32_t slot);

/* O(log n). ASSUMPTIONS: it is in the index. */
void pinreg_index_remove(struct pinreg_index *index, uint32_t slot);

/*
 * The slots whose range touches [start, end), one after the other in order of start, then
 * of number: the first with after 0, then the next one behind after; 0: no more. O(log n)
 * for each. An empty range touches nothing; [0, 0) is everything.
 * Between two calls anything may be inserted and removed, after too, as long as its
 * addr stays.
 */
uint32_t pinreg_index_touching(const struct pinreg_index *index, uint64_t start, uint64_t end,
			       uint32_t after);

/*
 * A slot whose range contains all of [start, end), which is not empty, and of which fits
 * says so; 0: there is none. Of several that fit, the one that is behind the others in the
 * order above. O(log n) for each that fits is asked of, and for finding that there are no more.
 */
uint32_t pinreg_index_containing(const struct pinreg_index *index, uint64_t start, uint64_t end,
				 bool (*fits)(void *context, uint32_t slot), void *context);

#endif
