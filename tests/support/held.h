/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held.h -- a table of who holds what, and threads that count in it.
 */
#ifndef PINREG_TESTS_SUPPORT_HELD_H
#define PINREG_TESTS_SUPPORT_HELD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "cache/holds.h"

#define HELD_SLOTS 2000u

/* The one in use; there is one in a process. */
extern struct pinreg_holds *held_holds;

/* What it is opened with. A case may change it; if it has not, all is real but memory. */
extern struct pinreg_sys held_sys;

/* Gives memory so many times more, then none. */
extern _Atomic(unsigned int) held_maps_left;
int held_map_some(uint64_t length, void **out);

/* As where membarrier is forbidden. */
int held_no_barrier(void);

void held_open(void);
/* All threads share row 0. */
void held_open_without_barrier(void);

/* Does anybody hold the slot? After a barrier, and the guess has to agree. */
bool held_any(uint32_t slot);

/* ---- a thread that does what it is told, and gives its number ---- */

struct held_worker {
	pthread_t thread;
	uint32_t up[3], down[3]; /* slots, 0: no more */
	uint32_t number;
	pthread_barrier_t *meet; /* after up; or NULL */
};

void held_start(struct held_worker *worker);
/* Wait for its end. */
void held_finish(struct held_worker *worker);

#endif
