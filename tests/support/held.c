/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held.c -- a table of who holds what, and threads that count in it.
 */
#include "support/held.h"

#include <errno.h>

#include "support/test.h"

struct pinreg_holds *held_holds;
struct pinreg_sys held_sys;
_Atomic(unsigned int) held_maps_left = UINT32_MAX;

static int no_barrier_register(void)
{
	return -ENOSYS;
}

int held_no_barrier(void)
{
	return -EPERM;
}

int held_map_some(uint64_t length, void **out)
{
	if (!held_maps_left)
		return -ENOMEM;
	held_maps_left--;
	return pinreg_sys_real.map_anonymous(length, out);
}

void held_open(void)
{
	if (!held_sys.unmap) {
		held_sys = pinreg_sys_real;
		held_sys.map_anonymous = held_map_some;
	}
	test_ok(pinreg_holds_open(&held_sys, HELD_SLOTS, &held_holds));
}

void held_open_without_barrier(void)
{
	held_sys = pinreg_sys_real;
	held_sys.barrier_register = no_barrier_register;
	held_sys.barrier = held_no_barrier;
	held_open();
}

bool held_any(uint32_t slot)
{
	test_ok(pinreg_holds_barrier(held_holds));
	bool held = pinreg_holds_any(held_holds, slot);
	assert_int_equal(pinreg_holds_any_guess(held_holds, slot), held);
	return held;
}

/* ---- a thread that does what it is told ---- */

static void *work(void *context)
{
	struct held_worker *worker = context;
	for (unsigned int i = 0; i < 3 && worker->up[i]; i++)
		pinreg_holds_up(held_holds, worker->up[i]);
	worker->number = pinreg_row_number;
	if (worker->meet) {
		pthread_barrier_wait(worker->meet);
		pthread_barrier_wait(worker->meet);
	}
	for (unsigned int i = 0; i < 3 && worker->down[i]; i++)
		pinreg_holds_down(held_holds, worker->down[i]);
	return NULL;
}

void held_start(struct held_worker *worker)
{
	assert_int_equal(pthread_create(&worker->thread, NULL, work, worker), 0);
}

void held_finish(struct held_worker *worker)
{
	assert_int_equal(pthread_join(worker->thread, NULL), 0);
}
