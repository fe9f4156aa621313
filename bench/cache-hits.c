/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache-hits.c -- get and put of a region that is there: nanoseconds for a pair.
 *
 * Time in which the thread ran, the best of many rounds; the caches take turns. A round
 * in which a thread did not have its CPU for itself is not counted, or two threads would
 * seem not to disturb each other because only one of them ran.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "cache-side.h"
#include "cpu.h"
#include "fail.h"

#define THREADS_MAX 2u
#define ROWS_MAX 6u
#define ROUNDS 50u
#define ROUNDS_MAX 400u
#define ROUND_NS 20000000u
#define CHUNK 1000u /* pairs between two looks at the clock */
#define BUSY 0.95   /* of the time a thread must have run */

enum sharing {
	ALL, /* every thread takes all regions */
	OWN, /* every other region is of another thread */
	HOT, /* all take the same one */
};

struct row {
	const char *name;
	unsigned int threads;
	enum sharing sharing;
	bool keys;
};

static const struct row rows_1000[] = {
	{ "hot-1-thread", 1, HOT, false },
	{ "hot-2-threads", 2, HOT, false },
	{ "1000-1-thread", 1, ALL, false },
	{ "1000-2-threads-other-regions", 2, OWN, false },
	{ "1000-2-threads-same-regions", 2, ALL, false },
	{ "1000-1-thread-with-keys", 1, ALL, true },
};

static const struct row rows_100000[] = {
	{ "100000-1-thread", 1, ALL, false },
	{ "100000-2-threads-other-regions", 2, OWN, false },
	{ "100000-2-threads-same-regions", 2, ALL, false },
};

/* The orders in which the threads of a row take the regions. */
struct orders {
	uint32_t *of[THREADS_MAX];
};

/* A cache with memory of its own: one page can be watched by one of them only. */
struct contender {
	const struct cache_side *side; /* NULL: it does not take part */
	struct cache_arena arena;
	void *cache;
	double best[ROWS_MAX]; /* ns for a pair; 0: not measured yet */
};

enum { OURS, STRICT, OTHER, CONTENDERS };

struct contest {
	const struct row *rows;
	size_t count;
	size_t regions;
	struct orders orders[ROWS_MAX];
	struct contender contenders[CONTENDERS];
};

struct runner {
	cache_pairs *pairs;
	void *cache;
	const char *base;
	uint32_t *numbers; /* of regions; regions of the arena, so that CHUNK divides it */
	size_t length;
	unsigned int cpu;
	pthread_barrier_t *start;
	atomic_bool *stop;
	double ns;  /* of a pair */
	double ran; /* of the time */
};

static uint64_t thread_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void take(struct runner *runner, size_t first, size_t count)
{
	if (!runner->pairs(runner->cache, runner->base, runner->numbers + first, count))
		die("a hit", "it was refused");
}

static void *run(void *context)
{
	struct runner *runner = context;
	size_t done = 0;
	uint64_t now;
	bench_run_on_cpu(runner->cpu);
	/* the other caches were here last */
	take(runner, 0, runner->length);
	pthread_barrier_wait(runner->start);
	uint64_t start = bench_now_ns();
	uint64_t start_ran = thread_now_ns();
	do {
		take(runner, done % runner->length, CHUNK);
		done += CHUNK;
		now = bench_now_ns();
		if (now - start > ROUND_NS)
			atomic_store_explicit(runner->stop, true, memory_order_relaxed);
	} while (!atomic_load_explicit(runner->stop, memory_order_relaxed));
	uint64_t ran = thread_now_ns() - start_ran;
	runner->ns = (double)ran / (double)done;
	runner->ran = (double)ran / (double)(now - start);
	return NULL;
}

/* Random, but the same each time. */
static uint32_t next_random(void)
{
	static uint64_t state = 88172645463325252u;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32);
}

/* The numbers of the regions that a thread takes, in random order. */
static uint32_t *order(size_t length, enum sharing sharing, unsigned int thread)
{
	uint32_t *numbers = calloc(length, sizeof(*numbers));
	if (!numbers)
		die("malloc", "no memory");
	for (size_t i = 0; i < length && sharing != HOT; i++)
		numbers[i] =
			(uint32_t)(sharing == OWN ? i / THREADS_MAX * THREADS_MAX + thread : i);
	for (size_t i = length - 1; i > 0; i--) {
		size_t other = next_random() % (i + 1);
		uint32_t number = numbers[i];
		numbers[i] = numbers[other];
		numbers[other] = number;
	}
	return numbers;
}

/* One round; 0 where it does not count. */
static double time_pairs(const struct contender *contender, const struct row *row,
			 const struct orders *orders)
{
	const struct cache_side *side = contender->side;
	struct runner runners[THREADS_MAX];
	pthread_t ids[THREADS_MAX];
	pthread_barrier_t start;
	atomic_bool stop = false;
	double ns = 0;
	bool counts = true;
	pthread_barrier_init(&start, NULL, row->threads);
	for (unsigned int i = 0; i < row->threads; i++) {
		runners[i] = (struct runner){
			.pairs = row->keys ? side->pairs_with_keys : side->pairs,
			.cache = contender->cache,
			.base = contender->arena.base,
			.numbers = orders->of[i],
			.length = contender->arena.count,
			.cpu = i,
			.start = &start,
			.stop = &stop,
		};
		if (pthread_create(&ids[i], NULL, run, &runners[i]))
			die("pthread_create", "no thread");
	}
	for (unsigned int i = 0; i < row->threads; i++) {
		pthread_join(ids[i], NULL);
		ns += runners[i].ns / row->threads;
		counts = counts && runners[i].ran >= BUSY;
	}
	pthread_barrier_destroy(&start);
	return counts ? ns : 0;
}

/* A round of each for one row; those measured already only if again. Are all measured? */
static bool take_turns(struct contest *contest, size_t row, bool again)
{
	bool all = true;
	for (size_t i = 0; i < CONTENDERS; i++) {
		struct contender *contender = &contest->contenders[i];
		double *best = &contender->best[row];
		if (!contender->side)
			continue;
		if (again || *best <= 0) {
			double ns =
				time_pairs(contender, &contest->rows[row], &contest->orders[row]);
			if (ns > 0 && (*best <= 0 || ns < *best))
				*best = ns;
		}
		all = all && *best > 0;
	}
	return all;
}

static void measure(struct contest *contest)
{
	bool all = false;
	for (unsigned int round = 0; round < ROUNDS || (!all && round < ROUNDS_MAX); round++) {
		all = true;
		for (size_t row = 0; row < contest->count; row++)
			all &= take_turns(contest, row, round < ROUNDS);
	}
	if (!all)
		die("hits", "the threads never had a CPU each: others use this machine");
}

static void enter(struct contender *contender, const struct cache_side *side, size_t regions)
{
	contender->side = side;
	if (!side)
		return;
	cache_arena_map(&contender->arena, regions);
	contender->cache = cache_fill(side, &contender->arena);
}

static void leave(struct contender *contender)
{
	if (!contender->side)
		return;
	cache_check(contender->side, contender->cache, contender->arena.count);
	contender->side->close(contender->cache);
	cache_arena_unmap(&contender->arena);
}

static void report(const struct contest *contest, const char *other)
{
	const struct contender *contenders = contest->contenders;
	char name[128];
	double one = 0;
	for (size_t i = 0; i < contest->count; i++) {
		const struct row *row = &contest->rows[i];
		double ours = contenders[OURS].best[i];
		double best = contenders[OTHER].best[i];
		if (best > 0) {
			snprintf(name, sizeof(name), "cache-hit-%s-to-%s", row->name, other);
			bench_report(name, ours, best, "ns");
		}
		if (best > 0 && contenders[STRICT].side) {
			snprintf(name, sizeof(name), "cache-hit-%s-strict-to-%s", row->name, other);
			bench_report(name, contenders[STRICT].best[i], best, "ns");
		}
		if (row->threads == 1 && !row->keys) {
			one = ours;
		} else if (row->threads > 1) {
			snprintf(name, sizeof(name), "cache-hit-%s-to-1-thread", row->name);
			bench_report(name, ours, one, "ns");
		}
	}
}

static void hold(const struct row *rows, size_t count, size_t regions,
		 const struct cache_side *const *sides, const char *other)
{
	struct contest contest = { .rows = rows, .count = count, .regions = regions };
	for (size_t i = 0; i < count; i++)
		for (unsigned int t = 0; t < THREADS_MAX; t++)
			contest.orders[i].of[t] = order(regions, rows[i].sharing, t);
	for (size_t i = 0; i < CONTENDERS; i++)
		enter(&contest.contenders[i], sides[i], regions);
	measure(&contest);
	report(&contest, other);
	for (size_t i = 0; i < CONTENDERS; i++)
		leave(&contest.contenders[i]);
	for (size_t i = 0; i < count; i++)
		for (unsigned int t = 0; t < THREADS_MAX; t++)
			free(contest.orders[i].of[t]);
}

#define COUNT(rows) (sizeof(rows) / sizeof(*(rows)))

void cache_bench_hits(void)
{
	const struct cache_side *sides[] = { &cache_ours, &cache_ours_strict, cache_ucx() };
	hold(rows_1000, COUNT(rows_1000), 1000, sides, "ucx");
	hold(rows_100000, COUNT(rows_100000), 100000, sides, "ucx");
}

void cache_bench_hits_against(const struct cache_side *ours, const struct cache_side *other,
			      const char *name)
{
	const struct cache_side *sides[] = { ours, NULL, other };
	hold(rows_1000, COUNT(rows_1000), 1000, sides, name);
}
