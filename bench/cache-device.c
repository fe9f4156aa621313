/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache-device.c -- on a real device: what a miss costs, and hits against libfabric's cache.
 *
 * A miss is the get of a range that is not in the cache, the other is ibv_reg_mr() of it.
 * In turnover the cache is so small that each miss ends another region, as ibv_dereg_mr()
 * does after each ibv_reg_mr(). The memory was touched before, and the same ranges come
 * again and again; the best of many rounds.
 */
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
#define RANGES 8u /* a round registers each */
#define KEPT 2u	  /* in turnover */
#define ROUNDS_MAX 101u
#define ROUNDS_MIN 7u
#define CASE_NS UINT64_C(8000000000)

struct bench {
	struct ibv_pd *pd;
	struct pinreg_cache *cache;
	struct pinreg_cache *small;
	char *memory;
	size_t length; /* of a range; as much lies between two */
};

static char *range(const struct bench *bench, unsigned int number)
{
	return bench->memory + 2 * number * bench->length;
}

static struct pinreg_region *get(struct pinreg_cache *cache, char *addr, size_t length)
{
	struct pinreg_region *region;
	struct pinreg_why why;
	if (pinreg_cache_get(cache, addr, length, ACCESS, NULL, &why, &region))
		refused("pinreg_cache_get", &why);
	return region;
}

static double microseconds(uint64_t start)
{
	return (double)(bench_now_ns() - start) / RANGES / 1000;
}

static double miss_ours(const struct bench *bench)
{
	struct pinreg_region *regions[RANGES];
	uint64_t start = bench_now_ns();
	for (unsigned int i = 0; i < RANGES; i++)
		regions[i] = get(bench->cache, range(bench, i), bench->length);
	double spent = microseconds(start);
	for (unsigned int i = 0; i < RANGES; i++)
		pinreg_cache_put(bench->cache, regions[i]);
	if (pinreg_cache_invalidate(bench->cache, NULL, 0))
		die("pinreg_cache_invalidate", "it fails");
	return spent;
}

static double miss_other(const struct bench *bench)
{
	struct ibv_mr *regions[RANGES];
	uint64_t start = bench_now_ns();
	for (unsigned int i = 0; i < RANGES; i++) {
		regions[i] = ibv_reg_mr(bench->pd, range(bench, i), bench->length, ACCESS);
		if (!regions[i])
			die("ibv_reg_mr", strerror(errno));
	}
	double spent = microseconds(start);
	for (unsigned int i = 0; i < RANGES; i++)
		ibv_dereg_mr(regions[i]);
	return spent;
}

static double turnover_ours(const struct bench *bench)
{
	uint64_t start = bench_now_ns();
	for (unsigned int i = 0; i < RANGES; i++)
		pinreg_cache_put(bench->small, get(bench->small, range(bench, i), bench->length));
	return microseconds(start);
}

static double turnover_other(const struct bench *bench)
{
	uint64_t start = bench_now_ns();
	for (unsigned int i = 0; i < RANGES; i++) {
		struct ibv_mr *mr = ibv_reg_mr(bench->pd, range(bench, i), bench->length, ACCESS);
		if (!mr || ibv_dereg_mr(mr))
			die("ibv_reg_mr", strerror(errno));
	}
	return microseconds(start);
}

typedef double time_function(const struct bench *bench);

static void compare(const struct bench *bench, const char *name, const char *size,
		    time_function *ours, time_function *other)
{
	double best[2] = { 0, 0 };
	char line[128];
	uint64_t begin = bench_now_ns();
	for (unsigned int round = 0;
	     round < ROUNDS_MAX && (round < ROUNDS_MIN || bench_now_ns() - begin < CASE_NS);
	     round++)
		for (unsigned int turn = 0; turn < 2; turn++) {
			unsigned int who = (turn + round) % 2;
			double us = who ? other(bench) : ours(bench);
			if (best[who] <= 0 || us < best[who])
				best[who] = us;
		}
	snprintf(line, sizeof(line), "cache-%s-%s", name, size);
	bench_report(line, best[0], best[1], "us");
}

/* On memory of its own: one page can be watched by one cache only. */
static void run_case(struct bench *bench, const char *name, const char *size, size_t length,
		     time_function *ours, time_function *other)
{
	size_t bytes = 2 * RANGES * length;
	bench->length = length;
	bench->memory =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (bench->memory == MAP_FAILED)
		die("mmap", strerror(errno));
	memset(bench->memory, 1, bytes);
	compare(bench, name, size, ours, other);
	munmap(bench->memory, bytes);
}

static void run_size(struct bench *bench, const char *size, size_t length)
{
	run_case(bench, "miss-to-reg", size, length, miss_ours, miss_other);
	run_case(bench, "turnover-to-reg-and-dereg", size, length, turnover_ours, turnover_other);
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

static void run_misses(struct ibv_pd *pd)
{
	struct pinreg_domain *domain;
	int status = pinreg_domain_open(pd, NULL, &domain);
	if (status)
		die("pinreg_domain_open", strerror(-status));
	struct bench bench = {
		.pd = pd,
		.cache = open_cache(domain, 0),
		.small = open_cache(domain, KEPT),
	};
	run_size(&bench, "64K", 64u << 10);
	run_size(&bench, "1M", 1u << 20);
	run_size(&bench, "16M", 16u << 20);
	if (pinreg_cache_close(bench.small) || pinreg_cache_close(bench.cache) ||
	    pinreg_domain_close(domain))
		die("pinreg_cache_close", "it fails");
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
		cache_bench_hits_against(&cache_ours_device, cache_fabric(), "libfabric");
	} else {
		fprintf(stderr, "bench-cache: built without libfabric\n");
	}
	ibv_dealloc_pd(pd);
	ibv_close_device(context);
}
