/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache-misses.c -- get and put of a region that is not there: with the registration, or,
 * where registering does nothing, what a cache adds to it.
 *
 * Regions of one mapping, in their order, each once in a new cache. The caches take turns;
 * the median of some rounds.
 */
#include <string.h>

#include "bench.h"
#include "cache-side.h"
#include "fail.h"

#define REGIONS_MAX 10000u
#define ROUNDS 11u

static double time_misses(const struct cache_side *side, const uint32_t *numbers, size_t count)
{
	struct cache_arena arena;
	cache_arena_map(&arena, count);
	if (side->prepare)
		side->prepare();
	else /* a device will pin it */
		memset(arena.base, 1, count * CACHE_STRIDE);
	void *cache = side->open();
	uint64_t start = bench_now_ns();
	if (!side->pairs(cache, arena.base, numbers, count))
		die("a miss", "it was refused");
	double ns = (double)(bench_now_ns() - start) / (double)count;
	cache_check(side, cache, count);
	side->close(cache);
	cache_arena_unmap(&arena);
	return ns;
}

void cache_bench_misses_against(const struct cache_side *ours, const struct cache_side *other,
				size_t regions, const char *name)
{
	static uint32_t numbers[REGIONS_MAX];
	double times[2][ROUNDS];
	char line[128];
	for (uint32_t i = 0; i < regions; i++)
		numbers[i] = i;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		times[0][round] = time_misses(ours, numbers, regions);
		times[1][round] = time_misses(other, numbers, regions);
	}
	snprintf(line, sizeof(line), "cache-miss-%u-to-%s", (unsigned int)regions, name);
	bench_report(line, bench_median(times[0], ROUNDS), bench_median(times[1], ROUNDS), "ns");
}

void cache_bench_misses(void)
{
	if (cache_ucx())
		cache_bench_misses_against(&cache_ours, cache_ucx(), REGIONS_MAX, "ucx");
}
