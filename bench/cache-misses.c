/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache-misses.c -- get and put of a region that is not there, where registering does
 * nothing: what a cache adds to each registration.
 *
 * Regions of one mapping, in their order, each once in a new cache. The caches take turns;
 * the median of some rounds.
 */
#include <stdlib.h>

#include "bench.h"
#include "cache-side.h"
#include "fail.h"

#define REGIONS 10000u
#define ROUNDS 11u

static double time_misses(const struct cache_side *side, const uint32_t *numbers)
{
	struct cache_arena arena;
	cache_arena_map(&arena, REGIONS);
	if (side->prepare)
		side->prepare();
	void *cache = side->open();
	uint64_t start = bench_now_ns();
	if (!side->pairs(cache, arena.base, numbers, REGIONS))
		die("a miss", "it was refused");
	double ns = (double)(bench_now_ns() - start) / REGIONS;
	cache_check(side, cache, REGIONS);
	side->close(cache);
	cache_arena_unmap(&arena);
	return ns;
}

void cache_bench_misses(void)
{
	static uint32_t numbers[REGIONS];
	double times[2][ROUNDS];
	if (!cache_ucx())
		return;
	for (uint32_t i = 0; i < REGIONS; i++)
		numbers[i] = i;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		times[0][round] = time_misses(&cache_ours, numbers);
		times[1][round] = time_misses(cache_ucx(), numbers);
	}
	bench_report("cache-miss-10000-to-ucx", bench_median(times[0], ROUNDS),
		     bench_median(times[1], ROUNDS), "ns");
}
