/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_trust_logic.c -- the data test on devices of memcpy: verdicts, cache,
 * errors, and that nothing is left behind.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "plan/trust.h"
#include "support/fake_device.h"
#include "support/test.h"

/* The control makes two transfers before on-demand paging is tested. */
#define FIRST_TRIAL 3

static struct pinreg_device device;

static void start(void)
{
	fake_device_reset();
	fake_device_use(&device);
}

static struct pinreg_trust_report find(void)
{
	struct pinreg_trust_report report;

	assert_int_equal(pinreg_trust_of_device(&device, &report), 0);
	assert_int_equal(report.size, sizeof(report));
	fake_device_assert_empty();
	return report;
}

/* The test must fail with this, and must not be remembered. */
static void find_fails(int expected)
{
	struct pinreg_trust_report report = { .cases = 77 };

	assert_int_equal(pinreg_trust_of_device(&device, &report), expected);
	assert_int_equal(report.cases, 77);
	fake_device_assert_empty();
	assert_int_equal(pinreg_trust_known(&device), PINREG_TRUST_UNTESTED);
}

static void verdict__right_is_full(void **state)
{
	(void)state;
	start();
	assert_int_equal(pinreg_trust_known(&device), PINREG_TRUST_UNTESTED);
	struct pinreg_trust_report report = find();
	assert_int_equal(report.trust, PINREG_TRUST_FULL);
	assert_int_equal(report.mtu, 4096);
	assert_true(report.cases >= 40);
	assert_true(report.bytes > 64 << 10);
	assert_int_equal(report.cases_wrong, 0);
	assert_int_equal(report.bytes_wrong, 0);
	assert_int_equal(report.first_wrong_length, 0);
	assert_int_equal(pinreg_trust_known(&device), PINREG_TRUST_FULL);
}

static void verdict__rxe_at_4096_is_page(void **state)
{
	(void)state;
	if (sysconf(_SC_PAGESIZE) > 4096)
		test_skip("a page is more than one packet");
	start();
	fake_device.odp = FAKE_ODP_RXE;
	struct pinreg_trust_report report = find();
	assert_int_equal(report.trust, PINREG_TRUST_PAGE);
	assert_true(report.cases_wrong > 0 && report.cases_wrong < report.cases);
	assert_true(report.bytes_wrong > 0);
	assert_true(report.first_wrong_offset != 0);
}

static void verdict__rxe_at_1024_is_none(void **state)
{
	(void)state;
	start();
	fake_device.odp = FAKE_ODP_RXE;
	fake_device.mtu = IBV_MTU_1024;
	struct pinreg_trust_report report = find();
	assert_int_equal(report.trust, PINREG_TRUST_NONE);
	assert_int_equal(report.mtu, 1024);
	assert_int_equal(report.first_wrong_offset, 0);
	assert_int_equal(report.first_wrong_length, sysconf(_SC_PAGESIZE));
}

static void verdict__a_stray_byte_is_page(void **state)
{
	(void)state;
	start();
	fake_device.odp = FAKE_ODP_STRAY;
	struct pinreg_trust_report report = find();
	assert_int_equal(report.trust, PINREG_TRUST_PAGE);
	assert_int_equal(report.bytes_wrong, report.cases_wrong);
}

static void verdict__success_without_data_is_none(void **state)
{
	(void)state;
	start();
	fake_device.odp = FAKE_ODP_DEAF;
	struct pinreg_trust_report report = find();
	assert_int_equal(report.trust, PINREG_TRUST_NONE);
	/* a cold target is read as zeros, and that is what is not there */
	assert_int_equal(report.cases_wrong, report.cases);
}

static void verdict__without_odp_is_none_untested(void **state)
{
	(void)state;
	start();
	device.odp = 0;
	assert_int_equal(find().trust, PINREG_TRUST_NONE);
	device.odp = IBV_ODP_SUPPORT;
	device.odp_rc = IBV_ODP_SUPPORT_WRITE;
	fake_device.state = IBV_PORT_DOWN;
	assert_int_equal(find().trust, PINREG_TRUST_NONE);
	assert_int_equal(find().cases, 0);
	assert_int_equal(pinreg_trust_known(&device), PINREG_TRUST_NONE);
	assert_int_equal(fake_device.makes, 0);
}

static void verdict__assumed_is_untested(void **state)
{
	(void)state;
	start();
	device.assumed = PINREG_TRUST_PAGE;
	device.odp = 0;
	assert_int_equal(find().trust, PINREG_TRUST_PAGE);
	assert_int_equal(pinreg_trust_known(&device), PINREG_TRUST_PAGE);
	assert_int_equal(fake_device.makes, 0);
}

static void verdict__refused_registration_is_none(void **state)
{
	(void)state;
	start();
	fake_device.odp_error = -EOPNOTSUPP;
	assert_int_equal(find().trust, PINREG_TRUST_NONE);
	assert_int_equal(find().cases, 0);
	fake_device.mtu = IBV_MTU_2048;
	fake_device.odp_error = -EINVAL;
	assert_int_equal(find().trust, PINREG_TRUST_NONE);
}

static void error__registration(void **state)
{
	(void)state;
	start();
	fake_device.odp_error = -ENOMEM;
	find_fails(-ENOMEM);
	fake_device.odp_error = 0;
	assert_int_equal(find().trust, PINREG_TRUST_FULL);
}

static void error__port_down(void **state)
{
	(void)state;
	start();
	fake_device.state = IBV_PORT_DOWN;
	find_fails(-ENETDOWN);
	assert_int_equal(fake_device.makes, 0);
	fake_device.state = IBV_PORT_ACTIVE;
	assert_int_equal(find().trust, PINREG_TRUST_FULL);
}

static void error__mtu_changed_meanwhile(void **state)
{
	(void)state;
	start();
	fake_device.mtu_changes_at = 2;
	find_fails(-EAGAIN);
}

/* What is no fault of on-demand paging must not be blamed on it. */
static void error__no_connection(void **state)
{
	(void)state;
	start();
	fake_device.fail_at = 1;
	fake_device.fail_count = 1;
	fake_device.fail_error = -EREMOTEIO;
	find_fails(-EREMOTEIO);
	fake_device.fail_at = fake_device.transfers + 2;
	fake_device.fail_error = -ETIMEDOUT;
	find_fails(-ETIMEDOUT);
	fake_device.fail_at = 0;
	fake_device.pinned_wrong = true;
	find_fails(-EIO);
}

/* Whatever cannot be made, the errno comes out and nothing is left behind. */
static void error__each_call_that_makes_something(void **state)
{
	(void)state;
	start();
	fake_device.make_error = -EMFILE;
	for (unsigned int n = 1;; n++) {
		struct pinreg_trust_report report;

		fake_device.makes = 0;
		fake_device.make_fail_at = n;
		int status = pinreg_trust_of_device(&device, &report);

		fake_device_assert_empty();
		if (!status)
			break;
		assert_int_equal(status, -EMFILE);
		assert_true(n < 100);
	}
	/* a loop, two sides of two, and the cold targets */
	assert_true(fake_device.makes >= 5);
}

static void error__posting(void **state)
{
	(void)state;
	start();
	fake_device.fail_at = FIRST_TRIAL + 7;
	fake_device.fail_count = 1;
	fake_device.fail_error = -ENOMEM;
	find_fails(-ENOMEM);
}

static void dead_loop__counts_and_is_replaced(void **state)
{
	(void)state;
	start();
	fake_device.fail_at = FIRST_TRIAL + 20;
	fake_device.fail_count = 1;
	fake_device.fail_error = -EREMOTEIO;
	struct pinreg_trust_report report = find();
	assert_int_equal(report.trust, PINREG_TRUST_NONE);
	assert_int_equal(report.cases_wrong, 1);
	assert_true(report.cases >= 40);
	assert_int_equal(fake_device.loops_opened, 2);
}

static void dead_loop__only_so_many(void **state)
{
	(void)state;
	start();
	fake_device.fail_at = FIRST_TRIAL;
	fake_device.fail_count = 1000;
	fake_device.fail_error = -ETIMEDOUT;
	struct pinreg_trust_report report = find();
	assert_int_equal(report.trust, PINREG_TRUST_NONE);
	assert_int_equal(report.cases_wrong, report.cases);
	assert_true(fake_device.loops_opened <= 3);
}

static void cache__per_mtu_port_and_guid(void **state)
{
	(void)state;
	start();
	find();
	find();
	assert_int_equal(fake_device.loops_opened, 1);
	fake_device.mtu = IBV_MTU_1024;
	assert_int_equal(pinreg_trust_known(&device), PINREG_TRUST_UNTESTED);
	find();
	assert_int_equal(fake_device.loops_opened, 2);
	device.port = 2;
	find();
	assert_int_equal(fake_device.loops_opened, 3);
	device.node_guid++;
	find();
	assert_int_equal(fake_device.loops_opened, 4);
	fake_device.mtu = IBV_MTU_4096;
	device.port = 1;
	device.node_guid--;
	find();
	assert_int_equal(fake_device.loops_opened, 4);
}

static void memory__is_a_finding_of_its_own(void **state)
{
	(void)state;
	start();
	struct pinreg_trust_report report;
	void *memory = aligned_alloc(64 << 10, PINREG_TRUST_ROOM);

	assert_int_equal(pinreg_trust_of_memory(&device, 5, memory, PINREG_TRUST_ROOM - 1, &report),
			 -EINVAL);
	assert_int_equal(pinreg_trust_of_memory(&device, 0, memory, PINREG_TRUST_ROOM, &report),
			 -EINVAL);
	fake_device.odp = FAKE_ODP_DEAF;
	test_ok(pinreg_trust_of_memory(&device, 5, memory, PINREG_TRUST_ROOM, &report));
	assert_int_equal(report.trust, PINREG_TRUST_NONE);
	assert_int_equal(fake_device.odp_registered, 1);
	fake_device_assert_empty();
	fake_device.odp = FAKE_ODP_RIGHT;
	test_ok(pinreg_trust_of_memory(&device, 6, memory, PINREG_TRUST_ROOM, &report));
	assert_int_equal(report.trust, PINREG_TRUST_FULL);
	assert_int_equal(pinreg_trust_known_of(&device, 5, NULL), PINREG_TRUST_NONE);
	assert_int_equal(pinreg_trust_known_of(&device, 6, NULL), PINREG_TRUST_FULL);
	assert_int_equal(pinreg_trust_known_of(&device, 7, NULL), PINREG_TRUST_UNTESTED);
	assert_int_equal(pinreg_trust_known(&device), PINREG_TRUST_UNTESTED);
	free(memory);
}

static void *ask(void *out)
{
	*(int *)out = pinreg_trust_of_device(&device, &(struct pinreg_trust_report){ 0 });
	return NULL;
}

static void threads__wait_for_one_test(void **state)
{
	(void)state;
	pthread_t threads[8];
	int status[8];

	start();
	fake_device.open_us = 100000;
	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask, &status[i]), 0);
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(status[i], 0);
	}
	assert_int_equal(fake_device.loops_opened, 1);
	fake_device_assert_empty();
}

static void name__each_verdict(void **state)
{
	(void)state;
	assert_string_equal(pinreg_trust_name(PINREG_TRUST_UNTESTED), "untested");
	assert_string_equal(pinreg_trust_name(PINREG_TRUST_NONE), "none");
	assert_string_equal(pinreg_trust_name(PINREG_TRUST_PAGE), "page");
	assert_string_equal(pinreg_trust_name(PINREG_TRUST_FULL), "full");
	assert_string_equal(pinreg_trust_name((enum pinreg_trust)99), "?");
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(verdict__right_is_full),
	cmocka_unit_test(verdict__rxe_at_4096_is_page),
	cmocka_unit_test(verdict__rxe_at_1024_is_none),
	cmocka_unit_test(verdict__a_stray_byte_is_page),
	cmocka_unit_test(verdict__success_without_data_is_none),
	cmocka_unit_test(verdict__without_odp_is_none_untested),
	cmocka_unit_test(verdict__assumed_is_untested),
	cmocka_unit_test(verdict__refused_registration_is_none),
	cmocka_unit_test(error__registration),
	cmocka_unit_test(error__port_down),
	cmocka_unit_test(error__mtu_changed_meanwhile),
	cmocka_unit_test(error__no_connection),
	cmocka_unit_test(error__each_call_that_makes_something),
	cmocka_unit_test(error__posting),
	cmocka_unit_test(dead_loop__counts_and_is_replaced),
	cmocka_unit_test(dead_loop__only_so_many),
	cmocka_unit_test(cache__per_mtu_port_and_guid),
	cmocka_unit_test(memory__is_a_finding_of_its_own),
	cmocka_unit_test(threads__wait_for_one_test),
	cmocka_unit_test(name__each_verdict),
};

TEST_MAIN(cases)
