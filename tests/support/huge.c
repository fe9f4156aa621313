/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * huge.c -- huge pages of 2 MiB for a case.
 */
#include "support/huge.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/test.h"

#ifndef MAP_HUGE_2MB
#define MAP_HUGE_2MB (21 << 26)
#endif

/* Pages beyond the reserved ones, made when they are asked for: nobody else sees them free. */
static const char knob[] = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_overcommit_hugepages";

static long before = -1;
static pid_t owner;

static bool set(long pages)
{
	FILE *file = fopen(knob, "we");
	if (!file)
		return false;
	fprintf(file, "%ld", pages);
	return !fclose(file);
}

static void restore(void)
{
	if (getpid() == owner)
		set(before);
}

static void allow(unsigned int count)
{
	long now = -1;
	FILE *file = fopen(knob, "re");
	if (!file || fscanf(file, "%ld", &now) != 1)
		test_skip("the kernel has no huge pages of 2 MiB");
	fclose(file);
	if (!set(now + count))
		test_skip("no free huge pages, and only root may have some made");
	if (before >= 0)
		return;
	before = now;
	owner = getpid();
	atexit(restore);
}

static void *map(unsigned int count, int flags)
{
	flags |= MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB | MAP_POPULATE;
	return mmap(NULL, count * HUGE_PAGE, PROT_READ | PROT_WRITE, flags, -1, 0);
}

char *huge_pages(unsigned int count, int flags)
{
	void *memory = map(count, flags);
	if (memory == MAP_FAILED) {
		allow(count);
		memory = map(count, flags);
	}
	if (memory == MAP_FAILED)
		test_skip("no memory for %u huge pages: %s", count, strerror(errno));
	memset(memory, 1, count * HUGE_PAGE);
	return memory;
}
