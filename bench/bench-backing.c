/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench-backing.c -- what is this page? In a process with 10,000 mappings.
 *
 * Ours is pinreg_backing_query() of one page, the other is reading
 * /proc/self/maps from begin to end, without parsing it.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <pinreg/pinreg.h>

#include "bench.h"

#define MAPPINGS 10000
#define SAMPLES 21

/* A sample ends after so many queries or, where each reads the text, so long. */
#define QUERIES_PER_SAMPLE 1000
#define SAMPLE_NS 50000000u

/* Every second page is read-only, so that no two can be one mapping. */
static char *make_mappings(size_t page)
{
	char *memory = mmap(NULL, MAPPINGS * page, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return NULL;
	for (size_t i = 0; i < MAPPINGS; i += 2)
		if (mprotect(memory + i * page, page, PROT_READ))
			return NULL;
	return memory;
}

/* Nanoseconds for one query, or -1. */
static double time_query(const char *page, size_t length)
{
	uint64_t start = bench_now_ns();
	uint64_t spent = 0;
	unsigned int count = 0;
	while (count < QUERIES_PER_SAMPLE && spent < SAMPLE_NS) {
		struct pinreg_backing *backing;
		if (pinreg_backing_query(page, length, &backing))
			return -1;
		pinreg_backing_free(backing);
		/* the clock is no part of a query, so it is not asked each time */
		if (++count % 10 == 0 || count == 1)
			spent = bench_now_ns() - start;
	}
	return (double)(bench_now_ns() - start) / count;
}

/* Nanoseconds for the whole text, or -1. */
static double time_text(void)
{
	static char buffer[65536];
	uint64_t start = bench_now_ns();
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ssize_t got;
	do
		got = read(fd, buffer, sizeof(buffer));
	while (got > 0);
	close(fd);
	return got < 0 ? -1 : (double)(bench_now_ns() - start);
}

int main(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const char *memory = make_mappings(page);
	if (!memory) {
		perror("bench-backing: mappings");
		return EXIT_FAILURE;
	}

	double ours[SAMPLES];
	double other[SAMPLES];
	for (size_t i = 0; i < SAMPLES; i++) {
		ours[i] = time_query(memory + MAPPINGS / 2 * page, page);
		other[i] = time_text();
		if (ours[i] < 0 || other[i] < 0) {
			fprintf(stderr, "bench-backing: the memory map cannot be read\n");
			return EXIT_FAILURE;
		}
	}
	bench_report("backing-one-of-10000", bench_median(ours, SAMPLES),
		     bench_median(other, SAMPLES), "ns");
	return EXIT_SUCCESS;
}
