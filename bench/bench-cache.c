/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench-cache.c -- the registration cache against UCX's, libfabric's, and none.
 *
 *   bench-cache [hits] [misses] [memory] [munmap] [device]     all of them
 *
 * hits: get and put of a region that is there. misses: of one that is not. memory: of a million
 * regions. munmap: of memory that is not registered. These need no device: registering does
 * nothing. device: a miss, against plain registration, and hits, against libfabric's.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache-side.h"

static const struct part {
	const char *name;
	void (*run)(void);
} parts[] = {
	/* forks before there are threads */
	{ "munmap", cache_bench_unmap },  { "memory", cache_bench_memory },
	{ "hits", cache_bench_hits },	  { "misses", cache_bench_misses },
	{ "device", cache_bench_device },
};

#define PARTS (sizeof(parts) / sizeof(*parts))

/* PARTS: there is none of that name. */
static size_t find(const char *name)
{
	size_t i = 0;
	while (i < PARTS && strcmp(parts[i].name, name))
		i++;
	return i;
}

int main(int argc, char **argv)
{
	bool wanted[PARTS] = { false };
	for (int i = 1; i < argc; i++) {
		size_t part = find(argv[i]);
		if (part == PARTS) {
			fprintf(stderr,
				"usage: bench-cache [hits] [misses] [memory] [munmap] [device]\n");
			return 2;
		}
		wanted[part] = true;
	}
	if (!cache_ucx())
		fprintf(stderr, "bench-cache: built without UCX: nothing is compared with it\n");
	for (size_t i = 0; i < PARTS; i++)
		if (argc == 1 || wanted[i])
			parts[i].run();
	return EXIT_SUCCESS;
}
