/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_loop.c -- the device connected to itself, with pinned memory.
 */
#include <errno.h>

#include "support/guest_device.h"
#include "support/loop_pair.h"
#include "support/test.h"

static const struct pinreg_sys *const sys = &pinreg_sys_real;

static void check_arrival(void)
{
	struct loop_pair pair;

	loop_pair_open(&pair, GUEST_ACCESS);
	for (int write = 0; write < 2; write++) {
		assert_true(loop_pair_arrives(&pair, write, 0, LOOP_PAIR_LENGTH));
		assert_true(loop_pair_odd_arrive(&pair, write));
	}
	loop_pair_close(&pair);
}

static void transfer__arrives_at_mtu_4096(void **state)
{
	(void)state;
	guest_device_open();
	check_arrival();
}

static void transfer__arrives_at_mtu_1024(void **state)
{
	(void)state;
	guest_device_open();
	guest_device_lower_mtu();
	check_arrival();
}

static void transfer__after_an_error(void **state)
{
	struct loop_pair pair;

	(void)state;
	guest_device_open();
	loop_pair_open(&pair, GUEST_ACCESS);
	uint64_t began = sys->now_ns();
	/* a byte more than there is */
	assert_int_equal(loop_pair_move(&pair, true, 1, LOOP_PAIR_LENGTH), -EREMOTEIO);
	assert_int_equal(loop_pair_move(&pair, false, 0, 64), -EREMOTEIO);
	assert_true(sys->now_ns() - began < 5000000000u);
	loop_pair_close(&pair);
}

static void atomic__changes_pinned_memory(void **state)
{
	struct loop_pair pair;

	(void)state;
	guest_device_open();
	assert_true(guest_device.atomics);
	loop_pair_open(&pair, GUEST_ACCESS | IBV_ACCESS_REMOTE_ATOMIC);
	for (size_t offset = 0; offset < 3 * 4096; offset += 1016)
		assert_true(loop_pair_atomics_right(&pair, offset, false));
	loop_pair_close(&pair);
}

static void atomic__without_the_right(void **state)
{
	struct loop_pair pair;

	(void)state;
	guest_device_open();
	loop_pair_open(&pair, GUEST_ACCESS);
	assert_int_equal(sys->loop_fetch_add(pair.loop, pair.mr[0], (uintptr_t)pair.memory[0],
					     pair.mr[1]->rkey, (uintptr_t)pair.memory[1], 1),
			 -EREMOTEIO);
	loop_pair_close(&pair);
}

/* Whatever happens, somebody waits for the end of it. */
static void transfer__with_the_port_down(void **state)
{
	struct loop_pair pair;

	(void)state;
	guest_device_open();
	loop_pair_open(&pair, GUEST_ACCESS);
	guest_device_take_down();
	uint64_t began = sys->now_ns();
	int status = loop_pair_move(&pair, true, 0, LOOP_PAIR_LENGTH);
	uint64_t took = sys->now_ns() - began;
	assert_true(status == -EREMOTEIO || status == -ETIMEDOUT);
	assert_true(took < 10000000000u);
	loop_pair_close(&pair);
}

static void open__port_down(void **state)
{
	struct pinreg_loop *loop;

	(void)state;
	guest_device_open();
	guest_device_take_down();
	assert_int_equal(sys->loop_open(guest_device.pd, 1, &loop), -ENETDOWN);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(transfer__arrives_at_mtu_4096),
	cmocka_unit_test_teardown(transfer__arrives_at_mtu_1024, guest_device_restore),
	cmocka_unit_test(transfer__after_an_error),
	cmocka_unit_test(atomic__changes_pinned_memory),
	cmocka_unit_test(atomic__without_the_right),
	cmocka_unit_test_teardown(transfer__with_the_port_down, guest_device_restore),
	cmocka_unit_test_teardown(open__port_down, guest_device_restore),
};

TEST_MAIN(cases)
