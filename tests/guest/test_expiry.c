/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_expiry.c -- what happens when lease-break-time is over and the kernel
 * lets the breaker in. It is shortened for that, so this runs in the guest.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/hooks.h"
#include "support/test.h"

#define BREAK_TIME_S 3
#define MARGIN_MS 1000

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
static _Atomic(bool) over; /* what took too long */

/* Somebody wants the file, does that, and stays: the kernel lets him in. */
static int start_breaker(const char *open_it)
{
	char command[300];
	snprintf(command, sizeof(command), open_it, hooks_a);
	return host_stay("%s; : > '%s.in'", command, hooks_a);
}

static bool is_in(void)
{
	char marker[300];
	snprintf(marker, sizeof(marker), "%s.in", hooks_a);
	return !access(marker, F_OK);
}

static int sync_too_slow(int fd)
{
	bool slow = ++syncs == 2;
	if (slow) {
		breaker = start_breaker("exec 9>>'%s'");
		while (!is_in())
			hooks_nap(50);
		hooks_nap(MARGIN_MS);
	}
	int status = pinreg_sys_real.file_sync(fd);
	over = over || slow;
	return status;
}

static void expiry__during_fsync_restores_nothing(void **state)
{
	(void)state;
	shorten_break_time();
	hooks = (struct pinreg_sys){ .file_sync = sync_too_slow };
	struct pinreg_domain *domain = hooks_domain(1);
	struct pinreg_event event = { .size = sizeof(event) };
	hooks_files();
	hooks_register(hooks_open(domain, hooks_a));
	assert_int_equal(host_run("exec 9>>'%s'", hooks_a), 0);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	while (!over)
		hooks_nap(50);
	hooks_nap(4 * MARGIN_MS); /* the other has the file still */
	int status = pinreg_domain_next_event(domain, &event);
	bool restored = !status && event.type == PINREG_EVENT_RESTORED;
	host_let_go(breaker);
	assert_false(restored);
}

static int zero_too_slow(int fd, uint64_t offset, uint64_t length)
{
	int status = pinreg_sys_real.file_zero(fd, offset, length);
	if (++zeros == 1) {
		assert_int_equal(host_run("echo precious >> '%s'", hooks_a), 0);
		hooks_nap(MARGIN_MS);
		over = true;
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
	while (!over)
		hooks_nap(20);
	hooks_nap(4 * MARGIN_MS);
	assert_int_equal(host_run("grep -qa precious '%s'", hooks_a), 0);
}

/* ---- the lease is taken away before the keys are dead ---- */

static struct pinreg_event until_lease_lost(struct pinreg_domain *domain)
{
	struct pinreg_event event;
	char text[256];
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_LEASE_LOST, &event);
	assert_int_equal(event.why.reason, PINREG_REASON_FILE_LEASE_LOST);
	pinreg_why_describe(&event.why, text, sizeof(text));
	puts(text);
	struct pinreg_event lost = event;
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	return lost;
}

static _Atomic(bool) stuck;

static int deregister_is_stuck(struct ibv_mr *mr)
{
	return stuck ? -EBUSY : fake_device_sys()->mr_deregister(mr);
}

/* The kernel does not let go of a registration. open_it: how the breaker comes. */
static void fence_held_up(const char *open_it)
{
	shorten_break_time();
	hooks = (struct pinreg_sys){ .mr_deregister = deregister_is_stuck };
	struct pinreg_domain *domain = hooks_domain(1);
	struct pinreg_event event;
	hooks_files();
	hooks_register(hooks_open(domain, hooks_a));
	stuck = true;
	int other = start_breaker(open_it);
	while (!is_in())
		hooks_nap(50);
	hooks_nap(MARGIN_MS);
	stuck = false;
	event = until_lease_lost(domain);
	/* it was seen held when the break was noticed, so others were in for less than that */
	assert_true(event.why.used > (uint64_t)BREAK_TIME_S * 1000000000);
	assert_true(event.why.used < 5 * (uint64_t)BREAK_TIME_S * 1000000000);
	assert_int_equal(host_let_go(other), 0);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	assert_int_equal(event.generation, 2);
}

static void expiry__before_the_fence_by_a_writer(void **state)
{
	(void)state;
	fence_held_up("exec 9>>'%s'");
}

/* The kernel makes it a read lease: it is there to be released, and did not hold. */
static void expiry__before_the_fence_by_a_reader(void **state)
{
	(void)state;
	fence_held_up("exec 9<'%s'");
}

static void expiry__fence_is_slow_but_in_time(void **state)
{
	(void)state;
	shorten_break_time();
	hooks = (struct pinreg_sys){ .mr_deregister = deregister_is_stuck };
	struct pinreg_domain *domain = hooks_domain(1);
	struct pinreg_event event;
	hooks_files();
	hooks_register(hooks_open(domain, hooks_a));
	stuck = true;
	int reader = host_start("exec 9<'%s'", hooks_a);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	hooks_nap(MARGIN_MS);
	stuck = false;
	host_expect(domain, PINREG_EVENT_FENCED, &event); /* not LEASE_LOST */
	assert_int_equal(host_wait(reader), 0);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
}

/* In a child: its parent stops it. Says by its exit status that it heard of the loss. */
static void be_stopped_owner(int ready)
{
	struct pinreg_domain *domain = hooks_domain(60000);
	struct pinreg_event event;
	hooks_register(hooks_open(domain, hooks_a));
	assert_int_equal(write(ready, "", 1), 1);
	event = until_lease_lost(domain);
	/* nothing was left to drain for */
	assert_int_equal(event.why.used, 0);
	assert_true(event.why.wanted < 1000000000);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	_exit(0);
}

static void expiry__while_the_owner_was_stopped(void **state)
{
	(void)state;
	int ready[2];
	char byte;
	shorten_break_time();
	hooks_files();
	test_ok(pipe(ready));
	pid_t owner = fork();
	if (!owner)
		be_stopped_owner(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	test_ok(kill(owner, SIGSTOP));
	int fd = open(hooks_a, O_RDWR | O_CLOEXEC); /* waits for lease-break-time */
	assert_true(fd >= 0);
	test_ok(kill(owner, SIGCONT));
	hooks_nap(500);
	close(fd);
	assert_int_equal(host_wait(owner), 0);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(expiry__long_quiesce_ends_before_it),
	cmocka_unit_test(expiry__during_fsync_restores_nothing),
	cmocka_unit_test(expiry__next_owner_is_not_cut_off),
	cmocka_unit_test(expiry__before_the_fence_by_a_writer),
	cmocka_unit_test(expiry__before_the_fence_by_a_reader),
	cmocka_unit_test(expiry__fence_is_slow_but_in_time),
	cmocka_unit_test(expiry__while_the_owner_was_stopped),
};

TEST_MAIN(cases)
