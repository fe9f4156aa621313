/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slots.h -- where a cache's regions are: arrays that never move, by slot number.
 *
 * A slot's memory is one region after the other and nothing else for the life of the
 * cache. So whoever has a number, however old, may read the slot, and finds by its
 * state whether it is still what he looks for.
 *
 * state: 0 while there was never a region in it; else LIVE (given out to who asks), the
 * rights of the region, and in the upper half the generation: how often the slot has
 * been used. A slot that is not LIVE has a region whose last user has not put it yet,
 * or which is being deregistered, or none.
 */
#ifndef PINREG_CACHE_SLOTS_H
#define PINREG_CACHE_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "region/region.h"
#include "sys/sys.h"

#define PINREG_SLOTS_MAX 0xffffffu /* what a hint has room for */

#define PINREG_SLOT_LIVE 1ull
#define PINREG_SLOT_ACCESS_SHIFT 1 /* IBV_ACCESS_* of the low 24 bits */
#define PINREG_SLOT_ACCESS_MASK 0xffffffull
#define PINREG_SLOT_LEAVING (1ull << 31) /* see cache.h */
#define PINREG_SLOT_GENERATION (1ull << 32)

/* Of one slot, under the cache's lock. */
struct pinreg_slot_links {
	uint32_t left, right; /* index.h */
	uint64_t max_last;    /* the last byte that is reached by it or by one below it */
	uint32_t heap;	      /* lru.h: its place; while the slot is free: the next free one */
	uint32_t recorded;    /* lru.h: the stamp it was placed by */
};

struct pinreg_slots {
	struct pinreg_region *regions;	 /* [0] is of nobody */
	struct pinreg_slot_links *links; /* [0] is of nobody */
	uint32_t max;			 /* the largest number */
	uint32_t used;			 /* the largest number that ever was used */
	uint32_t free;			 /* the first free one up to it; 0: none */
};

/* Room for so many, from 1 to PINREG_SLOTS_MAX; 0, or -errno and *slots is as it was. */
int pinreg_slots_open(struct pinreg_slots *slots, const struct pinreg_sys *sys, uint32_t max);
void pinreg_slots_close(struct pinreg_slots *slots, const struct pinreg_sys *sys);

/*
 * A free one, or 0; both in constant time and under the cache's lock. What was given back
 * last comes first, and a number that was never used last, so that no more memory is
 * touched than for the most that there ever were at once. Its links are 0, its region is
 * as whoever had it left it.
 */
uint32_t pinreg_slots_take(struct pinreg_slots *slots);
void pinreg_slots_release(struct pinreg_slots *slots, uint32_t slot);

static inline uint64_t pinreg_slot_start(const struct pinreg_slots *slots, uint32_t slot)
{
	return slots->regions[slot].addr;
}

/* 0: the top of the address space. */
static inline uint64_t pinreg_slot_end(const struct pinreg_slots *slots, uint32_t slot)
{
	return slots->regions[slot].addr + slots->regions[slot].length;
}

/* Its last byte: an address even where the end is none. */
static inline uint64_t pinreg_slot_last(const struct pinreg_slots *slots, uint32_t slot)
{
	return pinreg_slot_end(slots, slot) - 1;
}

static inline unsigned int pinreg_slot_access(const struct pinreg_slots *slots, uint32_t slot)
{
	uint64_t state = atomic_load_explicit(&slots->regions[slot].state, memory_order_relaxed);
	return state >> PINREG_SLOT_ACCESS_SHIFT & PINREG_SLOT_ACCESS_MASK;
}

#endif
