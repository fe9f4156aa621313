/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache-side.h -- one of the caches that bench-cache compares, and the memory it is asked for.
 *
 * Where no device is named, registering and deregistering do nothing: what is timed are
 * the caches.
 */
#ifndef PINREG_BENCH_CACHE_SIDE_H
#define PINREG_BENCH_CACHE_SIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <infiniband/verbs.h>

#define CACHE_LENGTH (64u << 10)
#define CACHE_STRIDE (128u << 10)

/* Memory for so many regions, with a gap behind each; nobody touches it. */
struct cache_arena {
	char *base;
	size_t count;
};

void cache_arena_map(struct cache_arena *arena, size_t count);
void cache_arena_unmap(const struct cache_arena *arena);

static inline char *cache_region(const char *base, size_t number)
{
	return (char *)base + number * CACHE_STRIDE;
}

/* Get and put of the regions with these numbers, one after the other; false: one was refused. */
typedef bool cache_pairs(void *cache, const char *base, const uint32_t *numbers, size_t count);

struct cache_side {
	const char *name;
	void (*prepare)(void); /* touch what open() needs and is none of the cache's */
	void *(*open)(void);
	cache_pairs *pairs;
	cache_pairs *pairs_with_keys; /* and read both keys */
	/* how many were registered since it was opened: the others were hits; NULL: unknown */
	size_t (*registered)(void *cache);
	void (*close)(void *cache);
};

extern const struct cache_side cache_ours;
extern const struct cache_side cache_ours_strict;

/* Ours, on a protection domain of a real device. */
void cache_ours_on(struct ibv_pd *pd);
extern const struct cache_side cache_ours_device;

/* UCX's, or NULL: built without it. */
const struct cache_side *cache_ucx(void);

/* libfabric's verbs provider on the first device; NULL: built without it. */
const struct cache_side *cache_fabric(void);

/* Opens a cache of that side with all of the arena's regions in it. */
void *cache_fill(const struct cache_side *side, const struct cache_arena *arena);

/* Ends the program if it has registered another number of regions than count. */
void cache_check(const struct cache_side *side, void *cache, size_t count);

/* The parts of the program: each prints its lines. */
void cache_bench_hits(void);
void cache_bench_misses(void);
void cache_bench_memory(void);
void cache_bench_unmap(void);
void cache_bench_device(void);

/* The misses of so many regions, at most 10,000, of these two. */
void cache_bench_misses_against(const struct cache_side *ours, const struct cache_side *other,
				size_t regions, const char *name);

/* The hits of 1,000 regions of these two. */
void cache_bench_hits_against(const struct cache_side *ours, const struct cache_side *other,
			      const char *name);

#endif
