/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hints.c -- where a request may find its region.
 *
 * All of this is under the cache's lock: only readers run beside it.
 */
#include "cache/hints.h"

/* Entries that the table has at the least: a page of them. */
#define SMALLEST 1024u

/* Places of an address: its group and the other of the pair. */
#define PLACES (2 * PINREG_HINTS_GROUP)

static uint64_t entries(uint32_t mask)
{
	return ((uint64_t)mask + 1) * PINREG_HINTS_GROUP;
}

static size_t bytes(const struct pinreg_hints *hints)
{
	return ((size_t)hints->max_mask + 1) * PINREG_HINTS_WORDS * sizeof(uint64_t);
}

int pinreg_hints_open(struct pinreg_hints *hints, const struct pinreg_sys *sys, uint32_t max,
		      pinreg_hints_start_function *start, void *context)
{
	void *memory = NULL;
	*hints = (struct pinreg_hints){
		.mask = SMALLEST / PINREG_HINTS_GROUP - 1,
		.max_mask = SMALLEST / PINREG_HINTS_GROUP - 1,
		.start = start,
		.context = context,
		.sys = sys,
	};
	while (entries(hints->max_mask) < 2 * (uint64_t)max)
		hints->max_mask = hints->max_mask * 2 + 1;
	int status = sys->map_anonymous(bytes(hints), &memory);
	hints->table = memory;
	return status;
}

void pinreg_hints_close(struct pinreg_hints *hints)
{
	if (hints->table)
		hints->sys->unmap((void *)hints->table, bytes(hints));
	hints->table = NULL;
}

static _Atomic(uint64_t) *word_of(const struct pinreg_hints *hints, uint64_t entry)
{
	return &hints->table[entry / 2];
}

/* entry: by its number in the table */
static uint32_t get(const struct pinreg_hints *hints, uint64_t entry)
{
	uint64_t word = atomic_load_explicit(word_of(hints, entry), memory_order_relaxed);
	return (uint32_t)(word >> entry % 2 * 32);
}

static void put(struct pinreg_hints *hints, uint64_t entry, uint32_t value)
{
	_Atomic(uint64_t) *word = word_of(hints, entry);
	uint64_t old = atomic_load_explicit(word, memory_order_relaxed);
	uint64_t other = old & ~(0xffffffffull << entry % 2 * 32);
	atomic_store_explicit(word, other | (uint64_t)value << entry % 2 * 32,
			      memory_order_relaxed);
}

/* The n-th place of an address: the other group comes after its own. */
static uint64_t place_of(uint64_t hash, uint32_t mask, uint32_t n)
{
	uint32_t group = pinreg_hints_group(hash, mask) ^ n / PINREG_HINTS_GROUP;
	return (uint64_t)group * PINREG_HINTS_GROUP + n % PINREG_HINTS_GROUP;
}

static bool is_place_of(uint64_t hash, uint32_t mask, uint64_t entry)
{
	return pinreg_hints_group(hash, mask) / 2 == entry / PLACES;
}

static bool start_of(const struct pinreg_hints *hints, uint32_t value, uint64_t *start)
{
	return hints->start(hints->context, value & PINREG_HINTS_SLOT, start);
}

/*
 * The table has grown to twice old: may somebody look for value at entry, when it was
 * there, or a whole old table below it? Which address it is for is only known where that
 * is its region's start; all others are for both.
 */
static bool belongs(const struct pinreg_hints *hints, uint32_t value, uint64_t entry, uint32_t old)
{
	uint64_t start;
	if (!value || !start_of(hints, value, &start))
		return false;
	uint64_t hash = pinreg_hints_hash(start);
	bool of_start = pinreg_hints_tag(hash) == value >> PINREG_HINTS_TAG_SHIFT &&
			is_place_of(hash, old, entry % entries(old));
	return !of_start || is_place_of(hash, old * 2 + 1, entry);
}

/* Readers find all the time what stays, and what moves as soon as they see the mask. */
static void grow(struct pinreg_hints *hints)
{
	uint32_t old = hints->mask;
	uint64_t count = entries(old);
	for (uint64_t entry = 0; entry < count; entry++) {
		uint32_t value = get(hints, entry);
		if (belongs(hints, value, entry + count, old))
			put(hints, entry + count, value);
	}
	atomic_store_explicit(&hints->mask, old * 2 + 1, memory_order_release);
	for (uint64_t entry = 0; entry < count; entry++) {
		uint32_t value = get(hints, entry);
		if (value && !belongs(hints, value, entry, old))
			put(hints, entry, 0);
	}
	hints->displaced = 0;
}

static bool too_small(const struct pinreg_hints *hints, uint32_t regions)
{
	uint64_t room = entries(hints->mask);
	return hints->mask < hints->max_mask &&
	       ((uint64_t)regions * 2 > room || hints->displaced > room / 8);
}

/* Where all are full: the place of one that leads nowhere, else each in turn. */
static uint32_t place_of_another(struct pinreg_hints *hints, uint64_t hash)
{
	for (uint32_t n = 0; n < PLACES; n++) {
		uint64_t start;
		if (!start_of(hints, get(hints, place_of(hash, hints->mask, n)), &start))
			return n;
	}
	hints->displaced++;
	return hints->turn++ % PLACES;
}

static uint32_t value_for(uint64_t hash, uint32_t slot)
{
	return pinreg_hints_tag(hash) << PINREG_HINTS_TAG_SHIFT | slot;
}

void pinreg_hints_set(struct pinreg_hints *hints, uint64_t addr, uint32_t slot, uint32_t regions)
{
	while (too_small(hints, regions))
		grow(hints);
	uint64_t hash = pinreg_hints_hash(addr);
	uint32_t free = PLACES, first = PLACES; /* first: of that tag, which readers find first */
	for (uint32_t n = 0; n < PLACES; n++) {
		uint32_t value = get(hints, place_of(hash, hints->mask, n));
		if (value == value_for(hash, slot))
			return;
		if (!value && free == PLACES)
			free = n;
		if (value && value >> PINREG_HINTS_TAG_SHIFT == pinreg_hints_tag(hash) &&
		    first == PLACES)
			first = n;
	}
	if (free == PLACES)
		free = place_of_another(hints, hash);
	if (first < free) {
		/* what is there is older, and may have been for a region that is gone */
		uint64_t older = place_of(hash, hints->mask, first);
		put(hints, place_of(hash, hints->mask, free), get(hints, older));
		free = first;
	}
	put(hints, place_of(hash, hints->mask, free), value_for(hash, slot));
}

void pinreg_hints_drop(struct pinreg_hints *hints, uint64_t addr, uint32_t slot)
{
	uint64_t hash = pinreg_hints_hash(addr);
	for (uint32_t n = 0; n < PLACES; n++) {
		uint64_t place = place_of(hash, hints->mask, n);
		if (get(hints, place) == value_for(hash, slot))
			put(hints, place, 0);
	}
}
