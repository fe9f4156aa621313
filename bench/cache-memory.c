/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache-memory.c -- what a cached region costs, with a million of them and two threads.
 *
 * Everything that became resident in a process of its own between the time before the
 * cache was opened and the time when both threads have held each region: heap, the
 * cache's mappings, stacks, whatever. The regions' own memory is never touched.
 */
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "cache-side.h"
#include "fail.h"

#define REGIONS 1000000u
#define ALLOWED 128 /* bytes */

static uint32_t numbers[REGIONS];

/* Bytes. The kernel walks the page tables for this: nothing is estimated. */
static uint64_t resident(void)
{
	char line[256];
	unsigned long long kib = 0;
	FILE *file = fopen("/proc/self/smaps_rollup", "re");
	while (file && !kib && fgets(line, sizeof(line), file))
		if (sscanf(line, "Rss: %llu kB", &kib) != 1)
			kib = 0;
	if (!file || !kib)
		die("/proc/self/smaps_rollup", "it does not tell");
	fclose(file);
	return kib << 10;
}

struct holder {
	const struct cache_side *side;
	void *cache;
	const struct cache_arena *arena;
};

static void *hold_each(void *context)
{
	struct holder *holder = context;
	if (!holder->side->pairs(holder->cache, holder->arena->base, numbers, REGIONS))
		die("a hit", "it was refused");
	return NULL;
}

/* What became resident for a region, in bytes. */
static double measure(const struct cache_side *side)
{
	struct cache_arena arena;
	pthread_t other;
	for (uint32_t i = 0; i < REGIONS; i++)
		numbers[i] = i;
	cache_arena_map(&arena, REGIONS);
	side->prepare();
	uint64_t before = resident();
	void *cache = cache_fill(side, &arena);
	struct holder holder = { .side = side, .cache = cache, .arena = &arena };
	if (pthread_create(&other, NULL, hold_each, &holder))
		die("pthread_create", "no thread");
	hold_each(&holder);
	pthread_join(other, NULL);
	cache_check(side, cache, REGIONS);
	return (double)(resident() - before) / REGIONS;
}

/* The same in a process of its own, whose heap nobody has used. */
static double measure_apart(const struct cache_side *side)
{
	int ends[2];
	int status;
	double bytes;
	if (pipe(ends))
		die("pipe", strerror(errno));
	pid_t child = fork();
	if (child < 0)
		die("fork", strerror(errno));
	if (!child) {
		bytes = measure(side);
		_exit(write(ends[1], &bytes, sizeof(bytes)) != sizeof(bytes));
	}
	close(ends[1]);
	bool told = read(ends[0], &bytes, sizeof(bytes)) == sizeof(bytes);
	close(ends[0]);
	if (waitpid(child, &status, 0) != child || status || !told)
		die(side->name, "a million regions are not held");
	return bytes;
}

void cache_bench_memory(void)
{
	double ours = measure_apart(&cache_ours);
	bench_report("cache-memory-of-a-region-to-128", ours, ALLOWED, "bytes");
	if (cache_ucx())
		bench_report("cache-memory-of-a-region-to-ucx", ours, measure_apart(cache_ucx()),
			     "bytes");
}
