/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hints.h -- where a request may find its region: address -> slot, without a lock.
 *
 * Only hints. An entry says that a request for an address of this hash was once answered
 * with this slot; the reader looks whether the slot holds what he wants. An entry may be
 * missing, or be of a slot that has another region by now. So readers need no order:
 * each entry is one aligned 32-bit value in one atomic word, and whatever was ever
 * written to the table is the number of a slot.
 *
 * An entry is a tag, 8 bits of the address's hash, and a slot. Four are a group of 16
 * bytes, whose tags are compared at once, without a branch that depends on where in it
 * an entry is. An address has a group of its own and, where that is full, the other of
 * the pair: eight places in half a cache line. With at most half of all entries in use
 * 99 of 100 addresses have a place, 96 in the first group; a hint that has none takes
 * that of another, and the other is found by the index, under the lock, and comes back.
 *
 * Memory is reserved for the largest table, and never moves; what grows is the mask. A
 * reader with the old mask looks at the lower half only, and may miss what has moved.
 */
#ifndef PINREG_CACHE_HINTS_H
#define PINREG_CACHE_HINTS_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "sys/sys.h"

#define PINREG_HINTS_GROUP 4u /* entries, two in a word, the lower half first */
#define PINREG_HINTS_WORDS 2u
#define PINREG_HINTS_TAG_SHIFT 24
#define PINREG_HINTS_SLOT 0xffffffu

/*
 * Where the region in a slot starts. false: nobody may be led to the slot any more.
 * Called under the cache's lock.
 */
typedef bool pinreg_hints_start_function(void *context, uint32_t slot, uint64_t *start);

struct pinreg_hints {
	_Atomic(uint64_t) *table;
	_Atomic(uint32_t) mask; /* groups in use - 1, a power of two - 1 */
	uint32_t max_mask;
	pinreg_hints_start_function *start;
	void *context;
	const struct pinreg_sys *sys;
	/* written with each hint that is set: not where readers look for the mask */
	alignas(64) uint32_t displaced; /* good ones, since the table has this size */
	uint32_t turn;
};

typedef uint64_t pinreg_hints_words __attribute__((vector_size(16)));
typedef uint32_t pinreg_hints_entries __attribute__((vector_size(16)));
typedef int32_t pinreg_hints_equal __attribute__((vector_size(16)));

/* What may be the slots of an address. */
struct pinreg_hints_found {
	const _Atomic(uint64_t) *group;
	const _Atomic(uint64_t) *other; /* of the pair, to be looked at; NULL: it was */
	uint32_t matches;		/* a bit for each entry of the group that is left */
	uint32_t tag;
};

/* For so many regions; 0 or -ENOMEM. */
int pinreg_hints_open(struct pinreg_hints *hints, const struct pinreg_sys *sys, uint32_t max,
		      pinreg_hints_start_function *start, void *context);
void pinreg_hints_close(struct pinreg_hints *hints);

/*
 * A request for addr is to find slot first. regions: how many the cache has; the table
 * grows with them, and where requests into few regions are of many addresses.
 * ASSUMPTIONS: under the cache's lock, slot not 0.
 */
void pinreg_hints_set(struct pinreg_hints *hints, uint64_t addr, uint32_t slot, uint32_t regions);

/* The slot is not for addr any more. ASSUMPTIONS: under the cache's lock. */
void pinreg_hints_drop(struct pinreg_hints *hints, uint64_t addr, uint32_t slot);

/*
 * Bits 0 to 7 are the tag, those above them the group. Regions lie at even distances:
 * the halves of the product together, folded once more, spread all distances from 1
 * byte to 1 GiB; the product alone has some that fall into few groups.
 */
static inline uint64_t pinreg_hints_hash(uint64_t addr)
{
	unsigned __int128 product = (unsigned __int128)addr * 0x9e3779b97f4a7c15u;
	uint64_t hash = (uint64_t)product ^ (uint64_t)(product >> 64);
	return hash ^ hash >> 32;
}

static inline uint32_t pinreg_hints_tag(uint64_t hash)
{
	return hash & 0xff;
}

static inline uint32_t pinreg_hints_group(uint64_t hash, uint32_t mask)
{
	return (uint32_t)(hash >> 8) & mask;
}

/* Bit i of lane i, each all ones or all zeros. */
static inline uint32_t pinreg_hints_bits(pinreg_hints_equal equal)
{
#ifdef __SSE2__
	return (uint32_t)_mm_movemask_ps((__m128)equal);
#else
	pinreg_hints_words bits = (pinreg_hints_words)(equal & (pinreg_hints_equal){ 1, 2, 4, 8 });
	uint64_t both = bits[0] | bits[1];
	return (uint32_t)(both | both >> 32);
#endif
}

/* A bit for each entry of a group with that tag; free ones have tag 0. */
static inline uint32_t pinreg_hints_match(const _Atomic(uint64_t) *group, uint32_t tag)
{
	pinreg_hints_words words = { atomic_load_explicit(&group[0], memory_order_relaxed),
				     atomic_load_explicit(&group[1], memory_order_relaxed) };
	pinreg_hints_entries tags = (pinreg_hints_entries)words >> PINREG_HINTS_TAG_SHIFT;
	return pinreg_hints_bits(tags == tag);
}

/* Look for an address. Thread: any. */
static inline struct pinreg_hints_found pinreg_hints_find(const struct pinreg_hints *hints,
							  uint64_t addr)
{
	uint64_t hash = pinreg_hints_hash(addr);
	uint32_t mask = atomic_load_explicit(&hints->mask, memory_order_relaxed);
	uint32_t group = pinreg_hints_group(hash, mask);
	struct pinreg_hints_found found = {
		.group = &hints->table[(size_t)group * PINREG_HINTS_WORDS],
		.other = &hints->table[(size_t)(group ^ 1) * PINREG_HINTS_WORDS],
		.tag = pinreg_hints_tag(hash),
	};
	found.matches = pinreg_hints_match(found.group, found.tag);
	return found;
}

/* The next one, 1 to max; 0: no more. */
static inline uint32_t pinreg_hints_next(struct pinreg_hints_found *found)
{
	for (;;) {
		while (found->matches) {
			uint32_t at = (uint32_t)__builtin_ctz(found->matches);
			uint64_t word =
				atomic_load_explicit(&found->group[at / 2], memory_order_relaxed);
			uint32_t slot = (uint32_t)(word >> at % 2 * 32) & PINREG_HINTS_SLOT;
			found->matches &= found->matches - 1;
			if (slot) /* else it is free, or has just been dropped */
				return slot;
		}
		if (!found->other)
			return 0;
		found->group = found->other;
		found->other = NULL;
		found->matches = pinreg_hints_match(found->group, found->tag);
	}
}

/* The first one of the address's own group; 0: there is none, look for more. */
static inline uint32_t pinreg_hints_first(const struct pinreg_hints *hints, uint64_t addr)
{
	uint64_t hash = pinreg_hints_hash(addr);
	uint32_t mask = atomic_load_explicit(&hints->mask, memory_order_relaxed);
	const _Atomic(uint64_t) *group =
		&hints->table[(size_t)pinreg_hints_group(hash, mask) * PINREG_HINTS_WORDS];
	uint32_t matches = pinreg_hints_match(group, pinreg_hints_tag(hash));
	if (!matches)
		return 0;
	uint32_t at = (uint32_t)__builtin_ctz(matches);
	uint64_t word = atomic_load_explicit(&group[at / 2], memory_order_relaxed);
	return (uint32_t)(word >> at % 2 * 32) & PINREG_HINTS_SLOT;
}

#endif
