/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench.h -- a clock, a median and the one line that every measurement prints.
 */
#ifndef PINREG_BENCH_BENCH_H
#define PINREG_BENCH_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* A clock that no setting of the time moves, in nanoseconds. */
static inline uint64_t bench_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline int bench_compare(const void *one, const void *other)
{
	double a = *(const double *)one;
	double b = *(const double *)other;
	return (a > b) - (a < b);
}

/* The middle one; sorts the values. ASSUMPTIONS: count > 0. */
static inline double bench_median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), bench_compare);
	return values[count / 2];
}

/* ratio is ours / other: smaller is better, below 1 we are faster. */
static inline void bench_report(const char *name, double ours, double other, const char *unit)
{
	printf("%s ours=%.1f other=%.1f unit=%s ratio=%.6f\n", name, ours, other, unit,
	       ours / other);
	fflush(stdout);
}

#endif
