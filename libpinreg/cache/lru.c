/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lru.c -- a heap of slots by when they were used.
 */
#include "cache/lru.h"

#include <stdbool.h>

static uint64_t size_of_heap(const struct pinreg_slots *slots)
{
	return ((uint64_t)slots->max + 1) * sizeof(uint32_t);
}

int pinreg_lru_open(struct pinreg_lru *lru, const struct pinreg_sys *sys,
		    struct pinreg_slots *slots)
{
	void *heap;
	int status = sys->map_anonymous(size_of_heap(slots), &heap);
	if (!status)
		*lru = (struct pinreg_lru){ .slots = slots, .heap = heap };
	return status;
}

void pinreg_lru_close(struct pinreg_lru *lru, const struct pinreg_sys *sys)
{
	if (lru->heap)
		sys->unmap(lru->heap, size_of_heap(lru->slots));
	*lru = (struct pinreg_lru){ 0 };
}

static bool is_older(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static uint32_t stamp_of(const struct pinreg_lru *lru, uint32_t slot)
{
	return atomic_load_explicit(&lru->slots->regions[slot].stamp, memory_order_relaxed);
}

static uint32_t recorded_at(const struct pinreg_lru *lru, uint32_t at)
{
	return lru->slots->links[lru->heap[at]].recorded;
}

static void set(struct pinreg_lru *lru, uint32_t at, uint32_t slot)
{
	lru->heap[at] = slot;
	lru->slots->links[slot].heap = at;
}

static void move_up(struct pinreg_lru *lru, uint32_t slot)
{
	uint32_t at = lru->slots->links[slot].heap;
	while (at > 1 && is_older(lru->slots->links[slot].recorded, recorded_at(lru, at / 2))) {
		set(lru, at, lru->heap[at / 2]);
		at /= 2;
	}
	set(lru, at, slot);
}

static void move_down(struct pinreg_lru *lru, uint32_t slot)
{
	uint32_t at = lru->slots->links[slot].heap;
	for (;;) {
		uint32_t child = 2 * at;
		if (child < lru->count &&
		    is_older(recorded_at(lru, child + 1), recorded_at(lru, child)))
			child++;
		if (child > lru->count ||
		    !is_older(recorded_at(lru, child), lru->slots->links[slot].recorded))
			break;
		set(lru, at, lru->heap[child]);
		at = child;
	}
	set(lru, at, slot);
}

/* Where it was used since, it moves down by that. */
static bool correct(struct pinreg_lru *lru, uint32_t slot, uint32_t stamp)
{
	if (!is_older(lru->slots->links[slot].recorded, stamp))
		return false;
	lru->slots->links[slot].recorded = stamp;
	move_down(lru, slot);
	return true;
}

/* The top has the oldest record of all: see that it does not fall too far behind. */
static void look_at_top(struct pinreg_lru *lru, uint32_t now)
{
	uint32_t slot = lru->heap[1];
	uint32_t stamp = stamp_of(lru, slot);
	uint32_t long_ago = now - PINREG_LRU_LONG_AGO;
	/* unless somebody uses it just now */
	if (is_older(stamp, long_ago) && atomic_compare_exchange_strong_explicit(
						 &lru->slots->regions[slot].stamp, &stamp, long_ago,
						 memory_order_relaxed, memory_order_relaxed))
		stamp = long_ago;
	correct(lru, slot, stamp);
}

void pinreg_lru_add(struct pinreg_lru *lru, uint32_t slot)
{
	uint32_t now = stamp_of(lru, slot);
	if (lru->count)
		look_at_top(lru, now);
	lru->slots->links[slot].recorded = now;
	set(lru, ++lru->count, slot);
	move_up(lru, slot);
}

void pinreg_lru_remove(struct pinreg_lru *lru, uint32_t slot)
{
	uint32_t at = lru->slots->links[slot].heap;
	uint32_t last = lru->heap[lru->count--];
	if (last == slot)
		return;
	set(lru, at, last);
	move_up(lru, last);
	move_down(lru, last);
}

uint32_t pinreg_lru_oldest(struct pinreg_lru *lru)
{
	if (!lru->count)
		return 0;
	/* no more often than there are slots: stamps may grow faster than we can look */
	for (uint32_t left = lru->count; left; left--)
		if (!correct(lru, lru->heap[1], stamp_of(lru, lru->heap[1])))
			break;
	return lru->heap[1];
}

void pinreg_lru_touch(struct pinreg_lru *lru, uint32_t slot, uint32_t now)
{
	lru->slots->links[slot].recorded = now;
	move_up(lru, slot);
	move_down(lru, slot);
}
