/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_trust_atomic.c -- the data test's atomic operations on devices of memcpy,
 * and what the planner makes of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "plan/planner.h"
#include "plan/trust.h"
#include "plan/trust_atomic.h"
#include "support/fake_device.h"
#include "support/test.h"

static struct pinreg_device device;

static void start(void)
{
	fake_device_reset();
	fake_device_add_atomics();
	fake_device_use(&device);
}

static struct pinreg_trust_report find(void)
{
	struct pinreg_trust_report report;

	test_ok(pinreg_trust_of_device(&device, &report));
	fake_device_assert_empty();
	return report;
}

static void atomics__right_on_present_and_dropped_pages(void **state)
{
	(void)state;
	start();
	struct pinreg_trust_report report = find();
	assert_int_equal(report.trust, PINREG_TRUST_FULL);
	assert_true(report.atomics >= 30);
	assert_int_equal(report.atomics_wrong, 0);
	assert_int_equal(fake_device.drops, report.atomics / 2);
	assert_true(pinreg_trust_has_atomics(&report));
}

/* Transfers that are right say nothing about atomics, nor the other way round. */
static void atomics__each_defect_is_found(void **state)
{
	(void)state;
	static const enum fake_atomics defects[] = { FAKE_ATOMICS_PAGE_START,
						     FAKE_ATOMICS_SWAP_ALWAYS,
						     FAKE_ATOMICS_NEW_VALUE, FAKE_ATOMICS_DEAF };
	for (size_t i = 0; i < sizeof(defects) / sizeof(defects[0]); i++) {
		start();
		device.node_guid += i; /* another device */
		fake_device.atomics = defects[i];
		struct pinreg_trust_report report = find();
		assert_int_equal(report.trust, PINREG_TRUST_FULL);
		assert_true(report.atomics_wrong > 0);
		assert_false(pinreg_trust_has_atomics(&report));
	}
	start();
	device.node_guid--;
	fake_device.odp = FAKE_ODP_STRAY;
	struct pinreg_trust_report report = find();
	assert_int_equal(report.trust, PINREG_TRUST_PAGE);
	assert_int_equal(report.atomics_wrong, 0);
}

static void atomics__only_where_the_device_claims_them(void **state)
{
	(void)state;
	start();
	device.atomics = false;
	assert_int_equal(find().atomics, 0);
	device.node_guid++;
	device.atomics = true;
	device.odp_rc &= ~(unsigned int)IBV_ODP_SUPPORT_ATOMIC;
	struct pinreg_trust_report report = find();
	assert_int_equal(report.trust, PINREG_TRUST_FULL);
	assert_int_equal(report.atomics, 0);
	assert_false(pinreg_trust_has_atomics(&report));
}

static void atomics__none_where_data_arrives_wrong(void **state)
{
	(void)state;
	start();
	fake_device.odp = FAKE_ODP_DEAF;
	assert_int_equal(find().atomics, 0);
}

/* The claim is taken back by the kernel: the rest of the finding stands. */
static void atomics__registration_refused(void **state)
{
	(void)state;
	start();
	fake_device.atomic_error = -EOPNOTSUPP;
	struct pinreg_trust_report report = find();
	assert_int_equal(report.trust, PINREG_TRUST_FULL);
	assert_int_equal(report.atomics, 0);
	device.node_guid++;
	fake_device.atomic_error = -ENOMEM;
	assert_int_equal(pinreg_trust_of_device(&device, &report), -ENOMEM);
	fake_device_assert_empty();
}

static void atomics__one_that_kills_the_connection(void **state)
{
	(void)state;
	start();
	unsigned int before = find().cases + 2; /* the control */
	fake_device.fail_at = fake_device.transfers + before + 5;
	fake_device.fail_count = 1;
	fake_device.fail_error = -EREMOTEIO;
	device.node_guid++;
	struct pinreg_trust_report report = find();
	assert_int_equal(report.trust, PINREG_TRUST_FULL);
	assert_int_equal(report.atomics, 5);
	assert_int_equal(report.atomics_wrong, 1);
}

static void atomics__locked_pages_are_not_dropped(void **state)
{
	(void)state;
	start();
	fake_device.drop_error = -EINVAL;
	struct pinreg_trust_report report = find();
	assert_true(report.atomics >= 15);
	assert_true(pinreg_trust_has_atomics(&report));
	assert_int_equal(fake_device.drops, 1);
	fake_device.drop_error = -ENOMEM;
	device.node_guid++;
	assert_int_equal(pinreg_trust_of_device(&device, &report), -ENOMEM);
}

/* Dropped pages of the caller's memory keep their data: a shared mapping. */
static void atomics__of_memory_given(void **state)
{
	(void)state;
	start();
	struct pinreg_trust_report report;
	void *memory = NULL;
	int fd = pinreg_sys_real.file_open(AT_FDCWD, "/dev/shm", O_TMPFILE | O_RDWR, 0600);
	test_ok(fd);
	test_ok(pinreg_sys_real.file_resize(fd, PINREG_TRUST_ROOM));
	test_ok(pinreg_sys_real.map(fd, PINREG_TRUST_ROOM, false, &memory));
	test_ok(pinreg_trust_of_memory(&device, 5, memory, PINREG_TRUST_ROOM, &report));
	assert_true(report.atomics >= 30);
	assert_int_equal(report.atomics_wrong, 0);
	fake_device.atomics = FAKE_ATOMICS_DEAF;
	test_ok(pinreg_trust_of_memory(&device, 6, memory, PINREG_TRUST_ROOM, &report));
	assert_true(report.atomics_wrong > 0);
	fake_device_assert_empty();
	pinreg_sys_real.unmap(memory, PINREG_TRUST_ROOM);
	close(fd);
}

static void reported(enum pinreg_reason reason, uint64_t st_dev)
{
	static char memory[8192] __attribute__((aligned(4096)));
	struct pinreg_region_opts opts = {
		.size = sizeof(opts),
		.method = PINREG_METHOD_ODP,
		.access = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_ATOMIC,
	};
	struct pinreg_sys table = pinreg_sys_real;
	struct pinreg_decision decision;
	const struct pinreg_sys *fake = fake_device_sys();
	table.port_query = fake->port_query;
	table.mr_register = fake->mr_register;
	table.mr_deregister = fake->mr_deregister;
	table.loop_open = fake->loop_open;
	table.loop_close = fake->loop_close;
	table.loop_read = fake->loop_read;
	table.loop_write = fake->loop_write;
	table.loop_fetch_add = fake->loop_fetch_add;
	table.loop_compare_swap = fake->loop_compare_swap;
	device.max_mr_size = device.pin_budget = UINT64_MAX;
	device.sys = &table;
	test_ok(pinreg_planner_plan(&device, st_dev, memory, 4096, &opts, &decision));
	device.sys = fake;
	if (decision.plan.why.reason != reason)
		fail_msg("%s", pinreg_reason_name(decision.plan.why.reason));
}

static void plan__asks_for_the_proof(void **state)
{
	(void)state;
	start();
	reported(PINREG_REASON_ODP_REQUESTED, 0);
	device.node_guid++;
	fake_device.atomics = FAKE_ATOMICS_NEW_VALUE;
	reported(PINREG_REASON_ODP_ATOMICS, 0);
	/* somebody's word is for them too */
	device.assumed = PINREG_TRUST_FULL;
	reported(PINREG_REASON_ODP_REQUESTED, 0);
}

/* Right on the device, wrong on the file's filesystem. */
static void plan__asks_the_filesystem_too(void **state)
{
	(void)state;
	start();
	struct pinreg_trust_report report;
	void *memory = aligned_alloc(64 << 10, PINREG_TRUST_ROOM);
	fake_device.drop_error = -EINVAL; /* it is nobody's file */
	test_ok(pinreg_trust_of_memory(&device, 8, memory, PINREG_TRUST_ROOM, &report));
	assert_int_equal(report.atomics_wrong, 0);
	reported(PINREG_REASON_ODP_REQUESTED, 8);
	fake_device.atomics = FAKE_ATOMICS_DEAF;
	test_ok(pinreg_trust_of_memory(&device, 9, memory, PINREG_TRUST_ROOM, &report));
	reported(PINREG_REASON_ODP_ATOMICS, 9);
	reported(PINREG_REASON_ODP_REQUESTED, 0);
	free(memory);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(atomics__right_on_present_and_dropped_pages),
	cmocka_unit_test(atomics__each_defect_is_found),
	cmocka_unit_test(atomics__only_where_the_device_claims_them),
	cmocka_unit_test(atomics__none_where_data_arrives_wrong),
	cmocka_unit_test(atomics__registration_refused),
	cmocka_unit_test(atomics__one_that_kills_the_connection),
	cmocka_unit_test(atomics__locked_pages_are_not_dropped),
	cmocka_unit_test(atomics__of_memory_given),
	cmocka_unit_test(plan__asks_for_the_proof),
	cmocka_unit_test(plan__asks_the_filesystem_too),
};

TEST_MAIN(cases)
