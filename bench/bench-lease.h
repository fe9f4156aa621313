/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench-lease.h -- who breaks leases, and the least that answers one.
 */
#ifndef PINREG_BENCH_LEASE_H
#define PINREG_BENCH_LEASE_H

#include <stddef.h>

#include <infiniband/verbs.h>

/*
 * A process that opens leased files for writing and closes them again. To be
 * started before there is a lease: it must not share an open file.
 */
struct breaker;
struct breaker *breaker_start(void);
void breaker_stop(struct breaker *breaker);

/* Open that file, and wait for it. Nanoseconds that it took. */
double breaker_open(struct breaker *breaker, const char *path);

/*
 * Break all leases of DIRECTORY/bench-lease-N, N from first on, before opening
 * one after the other; does not wait for it. Then the nanoseconds from the break
 * of each to its opening.
 */
void breaker_go_many(struct breaker *breaker, const char *directory, unsigned int first,
		     unsigned int count);
void breaker_waited_many(struct breaker *breaker, double *waited, unsigned int count);

/* The least: a thread that waits for the signal, deregisters, and lets go. */
struct minimum;
struct minimum *minimum_start(struct ibv_pd *pd, const char *path, size_t length,
			      unsigned int access);
/* Register and lease. ASSUMPTIONS: nobody has the file open. */
void minimum_hold(struct minimum *minimum);
void minimum_stop(struct minimum *minimum);

#endif
