/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache-device.c -- on a real device: what a miss costs, and hits against libfabric's cache.
 *
 * A miss is the get of a range that is not in the cache, the other is ibv_reg_mr() of it.
 * Each round has new memory, which was touched. miss: of many ranges of one mapping, the
 * first of them too. first-miss: each range is alone in its mapping. turnover: as miss, but
 * on memory that stays, and the cache is so small that each miss ends another region, as
 * ibv_dereg_mr() does after each ibv_reg_mr(). Each round's mean. The speed of an
 * emulated machine changes while it runs, so the two are compared round by round; what is
 * printed is the round whose ratio is the median.
 */
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include <infiniband/verbs.h>
#include <pinreg/cache.h>
#include <pinreg/pinreg.h>

#include "bench.h"
#include "cache-side.h"
#include "cpu.h"
#include "device.h"
#include "fail.h"

#define ACCESS (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)
#define RANGES_MAX 256u
#define ROUNDS_MAX 101u
#define ROUNDS_MIN 7u
#define CASE_NS UINT64_C(6000000000)

struct bench {
	struct ibv_pd *pd;
	struct pinreg_domain *domain;
	struct pinreg_cache *cache;
	char *memory;
	size_t length;	     /* of a range; as much lies between two */
	unsigned int ranges; /* a round registers each */
};

static size_t bytes_of(const struct bench *bench)
{
	return 2 * bench->ranges * bench->length;
}

static char *range(const struct bench *bench, unsigned int number)
{
	return bench->memory + 2 * number * bench->length;
}

/* alone: each range is a mapping of its own. */
static void map(struct bench *bench, bool alone)
{
	bench->memory = mmap(NULL, bytes_of(bench), PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (bench->memory == MAP_FAILED)
		die("mmap", strerror(errno));
	for (unsigned int i = 0; i < bench->ranges; i++) {
		memset(range(bench, i), 1, bench->length);
		if (alone && mprotect(range(bench, i) + bench->length, bench->length, PROT_NONE))
			die("mprotect", strerror(errno));
	}
}

static void unmap(const struct bench *bench)
{
	munmap(bench->memory, bytes_of(bench));
}

static struct pinreg_region *get(const struct bench *bench, unsigned int number)
{
	struct pinreg_region *region;
	struct pinreg_why why;
	if (pinreg_cache_get(bench->cache, range(bench, number), bench->length, ACCESS, NULL, &why,
			     &region))
		refused("pinreg_cache_get", &why);
	return region;
}

static double microseconds(const struct bench *bench, uint64_t start)
{
	return (double)(bench_now_ns() - start) / bench->ranges / 1000;
}

static struct ibv_mr *register_range(const struct bench *bench, unsigned int number)
{
	struct ibv_mr *mr = ibv_reg_mr(bench->pd, range(bench, number), bench->length, ACCESS);
	if (!mr)
		die("ibv_reg_mr", strerror(errno));
	return mr;
}

static double miss_ours(const struct bench *bench)
{
	static struct pinreg_region *regions[RANGES_MAX];
	uint64_t start = bench_now_ns();
	for (unsigned int i = 0; i < bench->ranges; i++)
		regions[i] = get(bench, i);
	double spent = microseconds(bench, start);
	for (unsigned int i = 0; i < bench->ranges; i++)
		pinreg_cache_put(bench->cache, regions[i]);
	return spent;
}

static double miss_other(const struct bench *bench)
{
	static struct ibv_mr *regions[RANGES_MAX];
	uint64_t start = bench_now_ns();
	for (unsigned int i = 0; i < bench->ranges; i++)
		regions[i] = register_range(bench, i);
	double spent = microseconds(bench, start);
	for (unsigned int i = 0; i < bench->ranges; i++)
		ibv_dereg_mr(regions[i]);
	return spent;
}

/* Regions that the cache of turnover may have. */
static unsigned int kept_of(const struct bench *bench)
{
	return bench->ranges / 4;
}

static double turnover_ours(const struct bench *bench)
{
	uint64_t start = bench_now_ns();
	for (unsigned int i = 0; i < bench->ranges; i++)
		pinreg_cache_put(bench->cache, get(bench, i));
	return microseconds(bench, start);
}

/* As many are registered at a time as the cache keeps. */
static double turnover_other(const struct bench *bench)
{
	struct ibv_mr *regions[RANGES_MAX / 4] = { NULL };
	unsigned int kept = kept_of(bench);
	uint64_t start = bench_now_ns();
	for (unsigned int i = 0; i < bench->ranges; i++) {
		struct ibv_mr **place = &regions[i % kept];
		if (*place && ibv_dereg_mr(*place))
			die("ibv_dereg_mr", strerror(errno));
		*place = register_range(bench, i);
	}
	for (unsigned int i = 0; i < kept; i++)
		ibv_dereg_mr(regions[i]);
	return microseconds(bench, start);
}

/* What is compared, and on which memory. */
struct comparison {
	const char *name;
	double (*ours)(const struct bench *bench);
	double (*other)(const struct bench *bench);
	bool stays; /* the same memory in all rounds, and a small cache */
	bool alone;
};

static double run_turn(struct bench *bench, const struct comparison *what, bool other)
{
	if (!what->stays)
		map(bench, what->alone);
	double us = (other ? what->other : what->ours)(bench);
	if (!what->stays)
		unmap(bench);
	return us;
}

static void compare(struct bench *bench, const struct comparison *what, const char *size)
{
	double times[2][ROUNDS_MAX], ratios[ROUNDS_MAX], sorted[ROUNDS_MAX];
	char line[128];
	unsigned int rounds = 0, middle = 0;
	uint64_t begin = bench_now_ns();
	while (rounds < ROUNDS_MAX && (rounds < ROUNDS_MIN || bench_now_ns() - begin < CASE_NS)) {
		for (unsigned int turn = 0; turn < 2; turn++) {
			unsigned int who = (turn + rounds) % 2;
			times[who][rounds] = run_turn(bench, what, who);
		}
		sorted[rounds] = ratios[rounds] = times[0][rounds] / times[1][rounds];
		rounds++;
	}
	double median = bench_median(sorted, rounds);
	while (ratios[middle] < median || ratios[middle] > median)
		middle++;
	snprintf(line, sizeof(line), "cache-%s-%s", what->name, size);
	bench_report(line, times[0][middle], times[1][middle], "us");
}

static struct pinreg_cache *open_cache(struct pinreg_domain *domain, uint64_t max_regions)
{
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_UFFD,
		.max_regions = max_regions,
	};
	struct pinreg_cache *cache;
	struct pinreg_why why;
	if (pinreg_cache_open(domain, &opts, &why, &cache))
		refused("pinreg_cache_open", &why);
	return cache;
}

static void run_case(struct bench *bench, const struct comparison *what, const char *size)
{
	bench->cache = open_cache(bench->domain, what->stays ? kept_of(bench) : 0);
	if (what->stays)
		map(bench, what->alone);
	compare(bench, what, size);
	if (pinreg_cache_close(bench->cache))
		die("pinreg_cache_close", "it fails");
	if (what->stays)
		unmap(bench);
}

static void run_misses(struct ibv_pd *pd)
{
	static const struct comparison comparisons[] = {
		{ "miss-to-reg", miss_ours, miss_other, false, false },
		{ "first-miss-to-reg", miss_ours, miss_other, false, true },
		{ "turnover-to-reg-and-dereg", turnover_ours, turnover_other, true, false },
	};
	static const struct {
		const char *name;
		size_t length;
		unsigned int ranges;
	} sizes[] = {
		{ "64K", 64u << 10, RANGES_MAX },
		{ "1M", 1u << 20, RANGES_MAX },
		{ "16M", 16u << 20, 32 },
	};
	struct bench bench = { .pd = pd };
	int status = pinreg_domain_open(pd, NULL, &bench.domain);
	if (status)
		die("pinreg_domain_open", strerror(-status));
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		bench.length = sizes[i].length;
		bench.ranges = sizes[i].ranges;
		for (unsigned int j = 0; j < sizeof(comparisons) / sizeof(*comparisons); j++)
			run_case(&bench, &comparisons[j], sizes[i].name);
	}
	if (pinreg_domain_close(bench.domain))
		die("pinreg_domain_close", "it fails");
}

void cache_bench_device(void)
{
	struct ibv_context *context = bench_open_device(NULL);
	if (!context) {
		fprintf(stderr, "bench-cache: there is no device: misses are not measured\n");
		return;
	}
	struct ibv_pd *pd = ibv_alloc_pd(context);
	if (!pd)
		die("ibv_alloc_pd", strerror(errno));
	run_misses(pd);
	if (cache_fabric()) {
		cache_ours_on(pd);
		cache_bench_misses_against(&cache_ours_device, cache_fabric(), 1000, "libfabric");
		cache_bench_hits_against(&cache_ours_device, cache_fabric(), "libfabric");
	} else {
		fprintf(stderr, "bench-cache: built without libfabric\n");
	}
	ibv_dealloc_pd(pd);
	ibv_close_device(context);
}
