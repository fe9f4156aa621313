/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_holds.c -- the sum of what threads count is who holds a slot, whoever puts
 * it, also where membarrier or memory cannot be had.
 */
#include <errno.h>

#include "support/held.h"
#include "support/test.h"

/* ---- counting ---- */

static void count__up_and_down(void **state)
{
	(void)state;
	held_open();
	assert_false(held_any(1));
	pinreg_holds_up(held_holds, 1);
	assert_true(held_any(1));
	pinreg_holds_up(held_holds, 1);
	pinreg_holds_up(held_holds, HELD_SLOTS);
	pinreg_holds_down(held_holds, 1);
	assert_true(held_any(1));
	assert_true(held_any(HELD_SLOTS));
	assert_false(held_any(2));
	assert_false(held_any(HELD_SLOTS - 1));
	pinreg_holds_down(held_holds, 1);
	pinreg_holds_down(held_holds, HELD_SLOTS);
	assert_false(held_any(1));
	assert_false(held_any(HELD_SLOTS));
	pinreg_holds_close(held_holds);
}

static void put__on_another_thread(void **state)
{
	(void)state;
	struct held_worker worker = { .down = { 5, 6, 6 } };
	held_open();
	pinreg_holds_up(held_holds, 5);
	pinreg_holds_up(held_holds, 6);
	pinreg_holds_up(held_holds, 6);
	held_start(&worker);
	held_finish(&worker);
	assert_int_not_equal(held_holds->largest, 1); /* it counted in a row of its own */
	assert_false(held_any(5));
	assert_false(held_any(6));
	pinreg_holds_up(held_holds, 5); /* from 1 and -1 on */
	assert_true(held_any(5));
	pinreg_holds_down(held_holds, 5);
	assert_false(held_any(5));
	pinreg_holds_close(held_holds);
}

static void put__before_another_thread_gets(void **state)
{
	(void)state;
	struct held_worker worker = { .up = { 9, 9 }, .down = { 9 } };
	held_open();
	pinreg_holds_up(held_holds, 9);
	held_start(&worker);
	held_finish(&worker);
	pinreg_holds_down(held_holds, 9);
	assert_true(held_any(9));
	pinreg_holds_down(held_holds, 9);
	assert_false(held_any(9));
	pinreg_holds_close(held_holds);
}

static void hits__of_all_threads(void **state)
{
	(void)state;
	held_open();
	assert_int_equal(pinreg_holds_hits(held_holds), 0);
	for (unsigned int i = 0; i < 10; i++)
		pinreg_holds_hit(held_holds);
	assert_int_equal(pinreg_holds_hits(held_holds), 10);
	uint32_t number = pinreg_row_number;
	pinreg_row_number = 0;
	held_holds->alone = false; /* as if this thread had none */
	pinreg_holds_hit(held_holds);
	assert_int_equal(pinreg_holds_hits(held_holds), 11);
	pinreg_row_number = number;
	pinreg_holds_close(held_holds);
}

/* ---- what cannot be had ---- */

static void barrier__is_there_or_says_why_not(void **state)
{
	(void)state;
	int status = pinreg_sys_real.barrier_register();
	assert_true(!status || status == -EOPNOTSUPP || status == -EPERM || status == -ENOSYS);
	if (!status)
		test_ok(pinreg_sys_real.barrier());
	held_open();
	assert_int_equal(held_holds->alone, !status);
	pinreg_holds_close(held_holds);
}

static void barrier__not_there_row_0_is_shared(void **state)
{
	(void)state;
	struct held_worker worker = { .up = { 1, 2 }, .down = { 1, 3 } };
	held_open_without_barrier();
	pinreg_holds_up(held_holds, 3);
	pinreg_holds_hit(held_holds);
	assert_true(held_any(3));
	held_start(&worker);
	held_finish(&worker);
	assert_int_equal(worker.number, 0);
	assert_int_equal(held_holds->largest, 0);
	assert_false(held_any(1));
	assert_true(held_any(2));
	assert_false(held_any(3));
	assert_int_equal(pinreg_holds_hits(held_holds), 1);
	pinreg_holds_close(held_holds);
}

static void barrier__forbidden_later(void **state)
{
	(void)state;
	held_open();
	held_holds->alone = true;
	held_sys.barrier = held_no_barrier;
	assert_int_equal(pinreg_holds_barrier(held_holds), -EPERM);
	pinreg_holds_close(held_holds);
}

static void memory__none_to_open(void **state)
{
	(void)state;
	held_sys = pinreg_sys_real;
	held_sys.map_anonymous = held_map_some;
	held_maps_left = 0;
	assert_int_equal(pinreg_holds_open(&held_sys, HELD_SLOTS, &held_holds), -ENOMEM);
	pinreg_holds_close(NULL);
}

static void memory__none_for_a_row(void **state)
{
	(void)state;
	struct held_worker worker = { .up = { 1 }, .down = { 2 } };
	held_maps_left = 1; /* row 0 */
	held_open();
	pinreg_holds_up(held_holds, 1);
	assert_true(held_any(1));
	/* from now on there is some; but who counted up in row 0 counts down there */
	held_maps_left = UINT32_MAX;
	pinreg_holds_up(held_holds, 2);
	assert_null(pinreg_holds_own(held_holds));
	held_start(&worker);
	held_finish(&worker);
	assert_true(held_any(1));
	assert_false(held_any(2));
	pinreg_holds_down(held_holds, 1);
	pinreg_holds_down(held_holds, 1);
	assert_false(held_any(1));
	pinreg_holds_close(held_holds);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(count__up_and_down),
	cmocka_unit_test(put__on_another_thread),
	cmocka_unit_test(put__before_another_thread_gets),
	cmocka_unit_test(hits__of_all_threads),
	cmocka_unit_test(barrier__is_there_or_says_why_not),
	cmocka_unit_test(barrier__not_there_row_0_is_shared),
	cmocka_unit_test(barrier__forbidden_later),
	cmocka_unit_test(memory__none_to_open),
	cmocka_unit_test(memory__none_for_a_row),
};

TEST_MAIN(cases)
