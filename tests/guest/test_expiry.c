/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_expiry.c -- what happens when lease-break-time is over and the kernel
 * lets the breaker in. It is shortened for that, so this runs in the guest.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/hooks.h"
#include "support/test.h"

#define BREAK_TIME_S 3
#define LONGER_MS 4500

static bool set_break_time(int seconds)
{
	FILE *file = fopen("/proc/sys/fs/lease-break-time", "we");
	if (!file)
		return false;
	fprintf(file, "%d", seconds);
	return !fclose(file);
}

static void restore_break_time(void)
{
	set_break_time(45);
}

static void shorten_break_time(void)
{
	if (!set_break_time(BREAK_TIME_S))
		test_skip("lease-break-time cannot be changed by this user");
	atexit(restore_break_time);
}

static void expiry__long_quiesce_ends_before_it(void **state)
{
	(void)state;
	shorten_break_time();
	struct pinreg_domain *domain = NULL;
	if (hooks_try_domain(60000, &domain) == -EINVAL)
		return; /* refused: fine as well */
	struct pinreg_keys keys = { .size = sizeof(keys) };
	struct pinreg_event event;
	hooks_files();
	struct pinreg_region *region = hooks_register(hooks_open(domain, hooks_a));
	int writer = host_start("exec 9>>'%s'", hooks_a);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	assert_int_equal(host_wait(writer), 0); /* he has it open */
	int status = pinreg_region_keys(region, &keys);
	assert_true(status == -EAGAIN || keys.generation == 2);
}

static unsigned int syncs, zeros;
static int breaker;

static int sync_too_slow(int fd)
{
	if (++syncs == 2) {
		breaker = host_start("exec 9>>'%s'; : > '%s.in'; sleep 8", hooks_a, hooks_a);
		hooks_nap(LONGER_MS);
	}
	return pinreg_sys_real.file_sync(fd);
}

static void expiry__during_fsync_restores_nothing(void **state)
{
	(void)state;
	shorten_break_time();
	hooks = (struct pinreg_sys){ .file_sync = sync_too_slow };
	struct pinreg_domain *domain = hooks_domain(1);
	struct pinreg_event event = { .size = sizeof(event) };
	char marker[300];
	hooks_files();
	hooks_register(hooks_open(domain, hooks_a));
	assert_int_equal(host_run("exec 9>>'%s'", hooks_a), 0);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	snprintf(marker, sizeof(marker), "%s.in", hooks_a);
	while (access(marker, F_OK))
		hooks_nap(50);
	hooks_nap(4000); /* in the meantime fsync is over; the other has the file for 8 s */
	int status = pinreg_domain_next_event(domain, &event);
	bool restored = !status && event.type == PINREG_EVENT_RESTORED;
	host_wait(breaker);
	assert_false(restored);
}

static int zero_too_slow(int fd, uint64_t offset, uint64_t length)
{
	int status = pinreg_sys_real.file_zero(fd, offset, length);
	if (++zeros == 1) {
		breaker = host_start("echo precious >> '%s'", hooks_a);
		hooks_nap(LONGER_MS);
	}
	return status;
}

static void expiry__next_owner_is_not_cut_off(void **state)
{
	(void)state;
	shorten_break_time();
	hooks = (struct pinreg_sys){ .file_zero = zero_too_slow };
	struct pinreg_domain *domain = hooks_domain(1);
	struct pinreg_event event;
	hooks_files();
	/* two holes after the truncation below: an unwritten extent each */
	hooks_open(domain, hooks_a);
	assert_int_equal(host_run("truncate -s 8192 '%s' 2>/dev/null || : ; "
				  "exec 9<>'%s'; truncate -s 8192 '%s'; "
				  "printf x | dd of='%s' bs=1 seek=20480 conv=notrunc 2>/dev/null",
				  hooks_a, hooks_a, hooks_a, hooks_a),
			 0);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	while (!breaker)
		hooks_nap(20);
	assert_int_equal(host_wait(breaker), 0);
	hooks_nap(4000);
	assert_int_equal(host_run("grep -qa precious '%s'", hooks_a), 0);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(expiry__long_quiesce_ends_before_it),
	cmocka_unit_test(expiry__during_fsync_restores_nothing),
	cmocka_unit_test(expiry__next_owner_is_not_cut_off),
};

TEST_MAIN(cases)
