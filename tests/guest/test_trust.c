/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_trust.c -- the data test on the guest's Soft-RoCE device.
 *
 * PINREG_KERNEL names the guest's kernel. What is known of it is compared with
 * the verdict; for every kernel the verdict is compared with transfers that
 * this program makes itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plan/trust.h"
#include "plan/trust_atomic.h"
#include "support/guest_device.h"
#include "support/loop_pair.h"
#include "support/test.h"

static const struct pinreg_sys *const sys = &pinreg_sys_real;

/* What is known of the guest's kernels; UNTESTED of all others. */
static enum pinreg_trust known(bool large)
{
	const char *kernel = getenv("PINREG_KERNEL");

	if (!kernel)
		return PINREG_TRUST_UNTESTED;
	if (!strcmp(kernel, "7.2"))
		return large ? PINREG_TRUST_PAGE : PINREG_TRUST_NONE;
	if (!strcmp(kernel, "7.2-odpfix"))
		return PINREG_TRUST_FULL;
	if (!strcmp(kernel, "6.12") || !strcmp(kernel, "6.1"))
		return PINREG_TRUST_NONE;
	return PINREG_TRUST_UNTESTED;
}

static void check_known(const struct pinreg_trust_report *report, bool large, uint64_t began)
{
	enum pinreg_trust expected = known(large);

	print_message("MTU %u: %s, %u of %u transfers wrong, %llu of %llu bytes, first at +%llu, "
		      "length %llu; %llu ms\n",
		      report->mtu, pinreg_trust_name(report->trust), report->cases_wrong,
		      report->cases, (unsigned long long)report->bytes_wrong,
		      (unsigned long long)report->bytes,
		      (unsigned long long)report->first_wrong_offset,
		      (unsigned long long)report->first_wrong_length,
		      (unsigned long long)(sys->now_ns() - began) / 1000000);
	print_message("%u of %u atomics wrong\n", report->atomics_wrong, report->atomics);
	assert_int_equal(report->cases != 0, guest_device_has_odp());
	if (expected == PINREG_TRUST_UNTESTED)
		test_skip("nothing is known of this kernel");
	assert_int_equal(report->trust, expected);
	/* of what moves nothing right, nothing more is asked */
	if (expected != PINREG_TRUST_NONE)
		assert_true(pinreg_trust_has_atomics(report));
}

static void verdict__at_mtu_4096(void **state)
{
	struct pinreg_trust_report report;

	(void)state;
	guest_device_open();
	uint64_t began = sys->now_ns();
	test_ok(pinreg_trust_of_device(&guest_device, &report));
	check_known(&report, true, began);
}

static void verdict__at_mtu_1024(void **state)
{
	struct pinreg_trust_report report;

	(void)state;
	guest_device_open();
	guest_device_lower_mtu();
	uint64_t began = sys->now_ns();
	test_ok(pinreg_trust_of_device(&guest_device, &report));
	check_known(&report, false, began);
	guest_device_restore(NULL);
	if (guest_device_has_odp())
		assert_int_equal(pinreg_trust_known(&guest_device), PINREG_TRUST_UNTESTED);
}

/* The second answer must come without a transfer. */
static void verdict__is_kept(void **state)
{
	struct pinreg_trust_report first, second;
	static struct pinreg_sys counting;

	(void)state;
	guest_device_open();
	test_ok(pinreg_trust_of_device(&guest_device, &first));
	counting = pinreg_sys_real;
	counting.loop_open = NULL;
	guest_device.sys = &counting;
	test_ok(pinreg_trust_of_device(&guest_device, &second));
	assert_memory_equal(&first, &second, sizeof(first));
	assert_int_equal(pinreg_trust_known(&guest_device), first.trust);
}

static void file_trust(const char *directory)
{
	struct pinreg_trust_report of_device, of_file;
	struct pinreg_file_look look;
	void *memory;

	test_ok(pinreg_trust_of_device(&guest_device, &of_device));
	int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 && errno == ENOENT)
		test_skip("there is no %s", directory);
	test_ok(fd);
	test_ok(sys->file_look(fd, &look));
	test_ok(sys->file_allocate(fd, 0, 0, PINREG_TRUST_ROOM));
	test_ok(sys->map(fd, PINREG_TRUST_ROOM, false, &memory));
	test_ok(sys->populate(memory, PINREG_TRUST_ROOM, true));
	uint64_t began = sys->now_ns();
	test_ok(pinreg_trust_of_memory(&guest_device, look.device, memory, PINREG_TRUST_ROOM,
				       &of_file));
	check_known(&of_file, true, began);
	assert_int_equal(of_file.trust, of_device.trust);
	assert_int_equal(pinreg_trust_known_of(&guest_device, look.device, NULL), of_file.trust);
	sys->unmap(memory, PINREG_TRUST_ROOM);
	close(fd);
}

static void verdict__of_files_on_ext4(void **state)
{
	(void)state;
	guest_device_open();
	file_trust("/pmem/ext4");
}

static void verdict__of_files_on_xfs(void **state)
{
	(void)state;
	guest_device_open();
	file_trust("/pmem/xfs");
}

/* A device that claims no on-demand paging must have none. */
static void agree_without_odp(void)
{
	struct ibv_mr *mr;
	void *memory;

	test_ok(sys->map_anonymous(PINREG_TRUST_ROOM, &memory));
	int status = sys->mr_register(guest_device.pd, memory, PINREG_TRUST_ROOM, (uintptr_t)memory,
				      GUEST_ACCESS | IBV_ACCESS_ON_DEMAND, &mr);
	assert_true(status == -EOPNOTSUPP || status == -EINVAL);
	assert_int_equal(pinreg_trust_known(&guest_device), PINREG_TRUST_NONE);
	sys->unmap(memory, PINREG_TRUST_ROOM);
}

static void agree_at(int mtu)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct pinreg_trust_report report;
	bool pages = true, bytes = true;
	struct loop_pair pair;

	if (!guest_device_has_odp()) {
		agree_without_odp();
		return;
	}
	test_ok(pinreg_trust_of_device(&guest_device, &report));
	assert_int_equal(report.mtu, mtu);
	loop_pair_open(&pair, GUEST_ACCESS | IBV_ACCESS_ON_DEMAND);
	for (int write = 0; write < 2; write++) {
		pages &= loop_pair_arrives(&pair, write, page, (uint32_t)page);
		pages &= loop_pair_arrives(&pair, write, 0, LOOP_PAIR_LENGTH);
		bytes &= loop_pair_odd_arrive(&pair, write);
	}
	loop_pair_close(&pair);
	print_message("MTU %d: %s; whole pages %s, others %s\n", mtu,
		      pinreg_trust_name(report.trust), pages ? "right" : "wrong",
		      bytes ? "right" : "wrong");
	assert_int_equal(pages, report.trust >= PINREG_TRUST_PAGE);
	assert_int_equal(pages && bytes, report.trust == PINREG_TRUST_FULL);
}

static void agreement__at_mtu_4096(void **state)
{
	(void)state;
	guest_device_open();
	agree_at(4096);
}

static void agreement__at_mtu_1024(void **state)
{
	(void)state;
	guest_device_open();
	guest_device_lower_mtu();
	agree_at(1024);
}

static void agreement__of_atomics(void **state)
{
	struct pinreg_trust_report report;
	struct loop_pair pair;
	bool right = true;

	(void)state;
	guest_device_open();
	if (!(guest_device.odp_rc & IBV_ODP_SUPPORT_ATOMIC)) {
		test_ok(pinreg_trust_of_device(&guest_device, &report));
		assert_int_equal(report.atomics, 0);
		return;
	}
	test_ok(pinreg_trust_of_device(&guest_device, &report));
	loop_pair_open(&pair, GUEST_ACCESS | IBV_ACCESS_REMOTE_ATOMIC | IBV_ACCESS_ON_DEMAND);
	for (size_t offset = 0; offset < 3 * 4096; offset += 1016)
		for (int dropped = 0; dropped < 2; dropped++)
			right &= loop_pair_atomics_right(&pair, offset, dropped);
	loop_pair_close(&pair);
	assert_int_equal(right, pinreg_trust_has_atomics(&report));
}

static void error__port_down(void **state)
{
	struct pinreg_trust_report report;

	(void)state;
	guest_device_open();
	guest_device_take_down();
	/* what needs no test needs no port either */
	assert_int_equal(pinreg_trust_of_device(&guest_device, &report),
			 guest_device_has_odp() ? -ENETDOWN : 0);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(verdict__at_mtu_4096),
	cmocka_unit_test_teardown(verdict__at_mtu_1024, guest_device_restore),
	cmocka_unit_test(verdict__is_kept),
	cmocka_unit_test(verdict__of_files_on_ext4),
	cmocka_unit_test(verdict__of_files_on_xfs),
	cmocka_unit_test(agreement__at_mtu_4096),
	cmocka_unit_test_teardown(agreement__at_mtu_1024, guest_device_restore),
	cmocka_unit_test(agreement__of_atomics),
	cmocka_unit_test_teardown(error__port_down, guest_device_restore),
};

TEST_MAIN(cases)
