/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache-side.c -- the memory that caches are asked for, and a cache that has all of it.
 */
#include "cache-side.h"

#include <sys/mman.h>

#include "fail.h"

void cache_arena_map(struct cache_arena *arena, size_t count)
{
	void *memory = mmap(NULL, count * CACHE_STRIDE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		die("mmap", "no memory for the regions");
	*arena = (struct cache_arena){ .base = memory, .count = count };
}

void cache_arena_unmap(const struct cache_arena *arena)
{
	munmap(arena->base, arena->count * CACHE_STRIDE);
}

void *cache_fill(const struct cache_side *side, const struct cache_arena *arena)
{
	void *cache = side->open();
	for (size_t i = 0; i < arena->count; i++) {
		uint32_t number = (uint32_t)i;
		if (!side->pairs(cache, arena->base, &number, 1))
			die(side->name, "a region cannot be registered");
	}
	cache_check(side, cache, arena->count);
	return cache;
}

void cache_check(const struct cache_side *side, void *cache, size_t count)
{
	if (side->registered && side->registered(cache) != count)
		die(side->name, "it did not register each region once");
}
