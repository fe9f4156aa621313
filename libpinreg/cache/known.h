/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * known.h -- mappings of which a region has been made and kept not long ago.
 *
 * They are anonymous and watched; whoever unmaps, replaces or moves a part is heard of,
 * and then it is forgotten here. So a further region of such a mapping needs no look at
 * the memory map, no plan and no new watch: what was decided holds. Two things may have
 * changed unheard, the protection and the limits: with those the kernel refuses the
 * registration, and it is made again in the long way, which says why.
 *
 * All of it under the cache's lock.
 */
#ifndef PINREG_CACHE_KNOWN_H
#define PINREG_CACHE_KNOWN_H

#include <stdint.h>

#define PINREG_KNOWN_ROOM 16u

/* Bytes that are watched together, at the least and at the most; powers of two. */
#define PINREG_KNOWN_BLOCK (UINT64_C(2) << 20)
#define PINREG_KNOWN_BLOCK_MAX (UINT64_C(1) << 30)

struct pinreg_region_facts;

struct pinreg_known {
	struct {
		uint64_t start, end; /* a part of one mapping */
		unsigned int access; /* that was asked for */
		const struct pinreg_region_facts *facts;
	} mappings[PINREG_KNOWN_ROOM];
	unsigned int next; /* the place of the oldest */
};

void pinreg_known_add(struct pinreg_known *known, uint64_t start, uint64_t end, unsigned int access,
		      const struct pinreg_region_facts *facts);

/*
 * In blocks of how many bytes to watch the memory of a region: four times as many as the
 * longest that is known beside it, which is no further away than it is long. So of any
 * number of regions in a mapping few are made in the long way, and what is watched without
 * a region stays in proportion to what has some.
 */
uint64_t pinreg_known_block(const struct pinreg_known *known, uint64_t start, uint64_t end);

/* What was decided for a mapping with all of [start, end) and the same rights; or NULL. */
const struct pinreg_region_facts *pinreg_known_find(const struct pinreg_known *known,
						    uint64_t start, uint64_t end,
						    unsigned int access);

/* Those that [start, end) touches. */
void pinreg_known_forget(struct pinreg_known *known, uint64_t start, uint64_t end);

#endif
