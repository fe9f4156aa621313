/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * touching.h -- touching memory in the real system, with a table in front of it
 * that counts, and can pretend to have other CPUs.
 */
#ifndef PINREG_TESTS_SUPPORT_TOUCHING_H
#define PINREG_TESTS_SUPPORT_TOUCHING_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "region/populate.h"

#define MIB ((size_t)1 << 20)
#define TOUCHING_ROOM (128 * MIB)

/* What the table in front sees, and what it makes of it. */
struct touching {
	atomic_uint populated;
	atomic_uint looks;
	atomic_uint advised;
	atomic_uint signals_open; /* calls from another thread with a signal not blocked */
	atomic_uint foreign;	  /* calls from another thread than the caller */
	atomic_uint bound;	  /* threads told where to run */
	atomic_ulong bytes;
	atomic_ullong threads; /* one bit for each that touched, by its order */
	unsigned int cpus;
	unsigned int nodes;
	atomic_uint fail_at; /* the call that gives fail_error */
	int fail_error;
	bool slow; /* other threads than the caller wait until it was told something */
	atomic_bool told;
	pthread_t caller;
};

extern struct touching touching;
extern struct pinreg_device touching_device;

/* How many threads were told to run on node i. */
extern atomic_uint touching_bound_to[16];

/* For cmocka: everything as at first. */
int touching_set_up(void **state);

/* So many bytes that were never touched, without huge pages. */
unsigned char *touching_cold(size_t length);

/* pinreg_populate_range(); how NULL: for writing. */
int touching_do(void *addr, size_t length, const struct pinreg_populate *how);

/* Pages of the range that are in memory. */
size_t touching_resident(void *addr, size_t length);

/* How many threads touched something. */
unsigned int touching_threads(void);

/* Fails the case if a thread is left; one that was joined stays in the list for a moment. */
void touching_no_thread_left(void);

#endif
