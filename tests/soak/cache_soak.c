/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache_soak.c -- threads that map, register through a cache, move data, unmap and map
 * again at the same addresses, for a long time and with each monitor. No byte that a peer
 * reads or writes is of memory that was there before, and no region is left.
 *
 * Usage: cache_soak [--minutes N] [--seed S]; lab soak runs it in a guest.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/rdma.h"
#include "support/torture_rdma.h"
#include "sys/sys.h"

#define THREADS 4u

static const struct way {
	const char *name;
	struct pinreg_cache_opts opts;
	bool empties;
	unsigned int share; /* of the time, in tenths */
} ways[] = {
	{ "uffd", { .monitor = PINREG_MONITOR_UFFD }, false, 3 },
	{ "uffd, strict", { .monitor = PINREG_MONITOR_UFFD, .strict = 1 }, false, 3 },
	{ "uffd, few regions, emptied",
	  { .monitor = PINREG_MONITOR_UFFD, .max_regions = 16, .max_merge = 1 << 15 },
	  true,
	  1 },
	{ "manual", { .monitor = PINREG_MONITOR_MANUAL }, true, 1 },
	{ "odp", { .monitor = PINREG_MONITOR_ODP, .method = PINREG_METHOD_ODP }, true, 2 },
};

static uint64_t regions_of_the_device(void)
{
	uint64_t count = 0;
	if (pinreg_sys_real.mr_count(rdma_pd()->context, &count))
		fprintf(stderr, "cache_soak: the device does not tell how many regions it has\n");
	return count;
}

static bool soak(const struct way *way, unsigned int seconds, uint64_t seed)
{
	struct torture torture = {
		.threads = THREADS,
		.seconds = seconds,
		.seed = seed,
		.empties = way->empties,
	};
	struct pinreg_cache_opts opts = way->opts;
	struct pinreg_why why = { 0 };
	uint64_t before = regions_of_the_device();
	opts.size = sizeof(opts);
	int status = torture_rdma_run(&torture, &opts, opts.method == PINREG_METHOD_ODP, &why);
	if (status) {
		printf("%s: %s\n", way->name, status < 0 ? strerror(-status) : rdma_sentence(&why));
		return false;
	}
	uint64_t after = regions_of_the_device();
	printf("%s: %u s, %lu transfers, %lu mappings, %lu regions had, %lu hits, "
	       "%lu invalidations, %lu evictions, %lu without an answer\n",
	       way->name, seconds, (unsigned long)torture_rdma_moved, (unsigned long)torture.maps,
	       (unsigned long)torture.gets, (unsigned long)torture_rdma_info.hits,
	       (unsigned long)torture_rdma_info.invalidations,
	       (unsigned long)torture_rdma_info.evictions, (unsigned long)torture_rdma_silent);
	if (torture.failed)
		printf("%s: %s\n", way->name, torture.failure);
	if (after != before)
		printf("%s: %lu regions of the device before, %lu after\n", way->name,
		       (unsigned long)before, (unsigned long)after);
	fflush(stdout);
	return !torture.failed && after == before;
}

int main(int argc, char **argv)
{
	unsigned long minutes = 10;
	uint64_t seed = (uint64_t)time(NULL), moved = 0;
	bool good = true;
	for (int i = 1; i < argc; i += 2) {
		if (i + 1 < argc && !strcmp(argv[i], "--minutes")) {
			minutes = strtoul(argv[i + 1], NULL, 10);
		} else if (i + 1 < argc && !strcmp(argv[i], "--seed")) {
			seed = strtoul(argv[i + 1], NULL, 10);
		} else {
			fprintf(stderr, "Usage: cache_soak [--minutes N] [--seed S]\n");
			return 2;
		}
	}
	printf("cache_soak: %lu minutes, seed %lu\n", minutes, (unsigned long)seed);
	bool paged = rdma_trust() == PINREG_TRUST_FULL;
	unsigned int tenths = paged ? 10 : 8;
	for (size_t i = 0; good && i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (ways[i].opts.method == PINREG_METHOD_ODP && !paged)
			continue;
		good = soak(&ways[i], (unsigned int)minutes * 60 * ways[i].share / tenths, seed);
		moved += torture_rdma_moved;
	}
	if (!good) {
		printf("cache_soak: FAILED, seed %lu\n", (unsigned long)seed);
		return 1;
	}
	printf("cache_soak: %lu transfers, no stale byte, nothing left\n", (unsigned long)moved);
	return 0;
}
