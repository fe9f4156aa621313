/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache-unmap.c -- munmap() in a process that has a cache, and in one that has none.
 *
 * The processes are forked alike, have the same memory mapped, and take turns on one CPU;
 * in one of them a thousand regions of that memory are cached. What is unmapped is
 * memory next to it, 64 KiB and 1 MiB that were written, which no region is of; and,
 * against UCX, the memory of a region.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "cache-side.h"
#include "cpu.h"
#include "fail.h"

#define REGIONS 1000u
#define ROUNDS 301u
#define ROUND_BYTES (4u << 20) /* unmapped in a round */

/* What a worker is asked: 0 bytes ends it. */
struct task {
	size_t bytes;
	bool of_region;
};

struct worker {
	int to, from;
	double best; /* us for an unmapping */
};

static char *map_written(size_t bytes)
{
	char *memory =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		die("mmap", "no memory");
	memset(memory, 1, bytes);
	return memory;
}

/* Microseconds for an unmapping. */
static double unmap_some(const struct cache_side *side, void *cache, const struct task *task)
{
	const uint32_t first = 0;
	size_t count = ROUND_BYTES / task->bytes;
	uint64_t spent = 0;
	for (size_t i = 0; i < count; i++) {
		char *memory = map_written(task->bytes);
		if (task->of_region && !side->pairs(cache, memory, &first, 1))
			die(side->name, "a region cannot be registered");
		uint64_t start = bench_now_ns();
		if (munmap(memory, task->bytes))
			die("munmap", strerror(errno));
		spent += bench_now_ns() - start;
	}
	return (double)spent / (double)count / 1000;
}

/* side: NULL for a process without a cache. */
static void work(const struct cache_side *side, int in, int out)
{
	struct cache_arena arena;
	struct task task;
	cache_arena_map(&arena, REGIONS);
	void *cache = side ? cache_fill(side, &arena) : NULL;
	bench_run_on_cpu(0); /* the cache's threads may run on any */
	while (read(in, &task, sizeof(task)) == sizeof(task) && task.bytes) {
		double us = unmap_some(side, cache, &task);
		if (write(out, &us, sizeof(us)) != sizeof(us))
			break;
	}
	_exit(EXIT_SUCCESS);
}

static void start(struct worker *worker, const struct cache_side *side)
{
	int to[2], from[2];
	if (pipe(to) || pipe(from))
		die("pipe", strerror(errno));
	pid_t child = fork();
	if (child < 0)
		die("fork", strerror(errno));
	if (!child) {
		close(to[1]);
		close(from[0]);
		work(side, to[0], from[1]);
	}
	close(to[0]);
	close(from[1]);
	*worker = (struct worker){ .to = to[1], .from = from[0] };
}

static void end(const struct worker *worker)
{
	close(worker->to);
	close(worker->from);
}

static void ask(struct worker *worker, const struct task *task)
{
	double us;
	if (write(worker->to, task, sizeof(*task)) != sizeof(*task) ||
	    read(worker->from, &us, sizeof(us)) != sizeof(us))
		die("munmap", "a process ended early");
	if (worker->best <= 0 || us < worker->best)
		worker->best = us;
}

static void compare(const char *name, struct worker *ours, struct worker *other,
		    const struct task *task)
{
	ours->best = other->best = 0;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		ask(i % 2 ? ours : other, task);
		ask(i % 2 ? other : ours, task);
	}
	bench_report(name, ours->best, other->best, "us");
}

void cache_bench_unmap(void)
{
	const struct task small = { .bytes = CACHE_LENGTH };
	const struct task large = { .bytes = 1u << 20 };
	const struct task region = { .bytes = CACHE_LENGTH, .of_region = true };
	struct worker ours, none, ucx;
	start(&none, NULL);
	start(&ours, &cache_ours);
	compare("cache-munmap-of-no-region-64K-to-none", &ours, &none, &small);
	compare("cache-munmap-of-no-region-1M-to-none", &ours, &none, &large);
	if (cache_ucx()) {
		start(&ucx, cache_ucx());
		compare("cache-munmap-of-no-region-64K-to-ucx", &ours, &ucx, &small);
		compare("cache-munmap-of-a-region-64K-to-ucx", &ours, &ucx, &region);
		end(&ucx);
	}
	end(&none);
	end(&ours);
}
