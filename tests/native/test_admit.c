/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_admit.c -- readers are let in to a sealed file, and nothing ends for that.
 * The immutable flag is a variable here; with real ones: guest/test_policies.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/hooks.h"
#include "support/test.h"

static struct pinreg_domain *domain;
static struct pinreg_file *file;
static struct pinreg_region *region;
static struct pinreg_event event;
static uint32_t rkey;
static _Atomic(uint32_t) xflags; /* of the file */

static bool is_nameless(int fd)
{
	struct stat look;
	return !fstat(fd, &look) && !look.st_nlink;
}

static int flags_get(int fd, struct pinreg_file_flags *out)
{
	*out = (struct pinreg_file_flags){ .xflags = is_nameless(fd) ? 0 : atomic_load(&xflags) };
	return 0;
}

static int flags_set(int fd, const struct pinreg_file_flags *flags)
{
	if (!is_nameless(fd))
		atomic_store(&xflags, flags->xflags);
	return 0;
}

static int look_sealable(int fd, struct pinreg_file_look *out)
{
	int status = pinreg_sys_real.file_look(fd, out);
	out->seals_cache = true;
	return status;
}

static enum pinreg_file_state state_of(void)
{
	struct pinreg_file_info info = { .size = sizeof(info) };
	test_ok(pinreg_file_query(file, &info));
	return info.state;
}

static uint32_t key_of(void)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	test_ok(pinreg_region_keys(region, &keys));
	return keys.rkey;
}

static void start(void)
{
	struct pinreg_file_opts opts = {
		.size = sizeof(opts),
		.allow_page_cache = 1,
		.seal = PINREG_SEAL_IMMUTABLE,
		.on_reader = PINREG_READER_ADMIT,
	};
	struct pinreg_why why;
	hooks.file_flags_get = flags_get;
	hooks.file_flags_set = flags_set;
	hooks.file_look = look_sealable;
	domain = hooks_domain(1);
	hooks_files();
	int status = pinreg_file_open(domain, AT_FDCWD, hooks_a, &opts, &why, &file);
	if (status)
		fail_msg("%d, %s", status, pinreg_reason_name(why.reason));
	assert_true(xflags & FS_XFLAG_IMMUTABLE);
	region = hooks_register(file);
	rkey = key_of();
}

static void end(void)
{
	test_ok(pinreg_region_deregister(region));
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
	assert_int_equal(xflags, 0);
	assert_int_equal(host_run("! ls -A \"$(dirname '%s')\" | grep -q '^[.]pinreg'", hooks_a),
			 0);
}

static void expect_nothing(void)
{
	event.size = sizeof(event);
	assert_int_equal(pinreg_domain_next_event(domain, &event), -EAGAIN);
}

static void wait_for(enum pinreg_file_state state)
{
	for (unsigned int tries = 0; state_of() != state && tries < 1500; tries++)
		hooks_nap(10);
	assert_string_equal(pinreg_file_state_name(state_of()), pinreg_file_state_name(state));
}

static void admit__readers_come_and_go(void **state)
{
	(void)state;
	start();
	for (unsigned int round = 0; round < 3; round++) {
		int reader = host_stay("exec 9<'%s'; cmp '%s' '%s'", hooks_a, hooks_a, hooks_b);
		host_expect(domain, PINREG_EVENT_ADMITTED, &event);
		assert_ptr_equal(event.file, file);
		assert_int_equal(event.breaker, PINREG_BREAKER_READER);
		assert_int_equal(event.generation, 1);
		assert_int_equal(state_of(), PINREG_FILE_SHARED);
		/* a second one is nobody's concern */
		assert_int_equal(host_run("cmp '%s' '%s'", hooks_a, hooks_b), 0);
		assert_int_equal(key_of(), rkey);
		test_ok(pinreg_region_commit(region, 0, HOOKS_LENGTH));
		test_ok(pinreg_region_deregister(hooks_register(file)));
		assert_int_equal(host_let_go(reader), 0);
		wait_for(PINREG_FILE_HELD);
		expect_nothing();
		assert_int_equal(key_of(), rkey);
		assert_true(xflags & FS_XFLAG_IMMUTABLE);
	}
	end();
}

static void admit__closed_while_shared(void **state)
{
	(void)state;
	start();
	int reader = host_stay("exec 9<'%s'", hooks_a);
	host_expect(domain, PINREG_EVENT_ADMITTED, &event);
	end();
	assert_int_equal(host_let_go(reader), 0);
}

static void expect_break_and_return(int writer)
{
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	assert_int_equal(event.breaker, PINREG_BREAKER_WRITER);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	assert_int_equal(fake_device_regions(), 0);
	assert_int_equal(host_let_go(writer), 0);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	assert_int_equal(event.generation, 2);
	assert_int_equal(state_of(), PINREG_FILE_HELD);
	assert_true(xflags & FS_XFLAG_IMMUTABLE);
}

static _Atomic(bool) never_late, no_look_is_near;

/* The look that comes once a second does not come. */
static int wait_without_looks(int event_fd, int inotify, int signal, int device, int timeout_ms,
			      struct pinreg_wakeup *out)
{
	if (atomic_load(&never_late) && timeout_ms > 100) {
		timeout_ms = -1;
		atomic_store(&no_look_is_near, true);
	}
	return pinreg_sys_real.wait(event_fd, inotify, signal, device, timeout_ms, out);
}

static void admit__writer_after_the_flag_was_taken_off(void **state)
{
	(void)state;
	hooks.wait = wait_without_looks;
	start();
	atomic_store(&never_late, true);
	int reader = host_stay("exec 9<'%s'", hooks_a);
	host_expect(domain, PINREG_EVENT_ADMITTED, &event);
	while (!atomic_load(&no_look_is_near))
		hooks_nap(1);
	atomic_store(&xflags, 0);
	hooks_nap(1200);
	expect_nothing();
	int writer = host_stay("exec 9<>'%s'", hooks_a);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	atomic_store(&never_late, false);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	assert_int_equal(host_let_go(writer), 0);
	assert_int_equal(host_let_go(reader), 0);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	end();
}

static void admit__flag_taken_off_and_nobody_came(void **state)
{
	(void)state;
	start();
	int reader = host_stay("exec 9<'%s'", hooks_a);
	host_expect(domain, PINREG_EVENT_ADMITTED, &event);
	atomic_store(&xflags, 0);
	expect_break_and_return(reader);
	end();
}

static void admit__flag_was_off_before(void **state)
{
	(void)state;
	start();
	atomic_store(&xflags, 0);
	int reader = host_stay("exec 9<'%s'", hooks_a);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	assert_int_equal(event.breaker, PINREG_BREAKER_READER);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	assert_int_equal(host_let_go(reader), 0);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	assert_true(xflags & FS_XFLAG_IMMUTABLE);
	end();
}

static void admit__writer_is_fenced_as_ever(void **state)
{
	(void)state;
	start();
	atomic_store(&xflags, 0); /* or he could not open it at all */
	expect_break_and_return(host_stay("exec 9<>'%s'", hooks_a));
	end();
}

static int refused_now;

static int lease_take(int fd, int signal, pid_t thread)
{
	if (__atomic_load_n(&refused_now, __ATOMIC_SEQ_CST))
		return -EACCES;
	return pinreg_sys_real.lease_take(fd, signal, thread);
}

static void admit__lease_is_not_to_be_had_again(void **state)
{
	(void)state;
	hooks.lease_take = lease_take;
	start();
	int reader = host_stay("exec 9<'%s'", hooks_a);
	host_expect(domain, PINREG_EVENT_ADMITTED, &event);
	__atomic_store_n(&refused_now, 1, __ATOMIC_SEQ_CST);
	assert_int_equal(host_let_go(reader), 0);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	host_expect(domain, PINREG_EVENT_LOST, &event);
	assert_string_equal(event.why.step, "F_SETLEASE");
	end();
}

static void options__admit_needs_the_flag(void **state)
{
	(void)state;
	struct pinreg_file_opts opts = {
		.size = sizeof(opts),
		.allow_page_cache = 1,
		.on_reader = PINREG_READER_ADMIT,
	};
	struct pinreg_why why;
	domain = hooks_domain(1);
	hooks_files();
	assert_int_equal(pinreg_file_open(domain, AT_FDCWD, hooks_a, &opts, &why, &file), -EINVAL);
	assert_int_equal(why.reason, PINREG_REASON_BAD_OPTION);
	opts.seal = PINREG_SEAL_IMMUTABLE;
	opts.on_reader = 2;
	assert_int_equal(pinreg_file_open(domain, AT_FDCWD, hooks_a, &opts, &why, &file), -EINVAL);
	host_domain_close(domain);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(admit__readers_come_and_go),
	cmocka_unit_test(admit__closed_while_shared),
	cmocka_unit_test(admit__writer_after_the_flag_was_taken_off),
	cmocka_unit_test(admit__flag_taken_off_and_nobody_came),
	cmocka_unit_test(admit__flag_was_off_before),
	cmocka_unit_test(admit__writer_is_fenced_as_ever),
	cmocka_unit_test(admit__lease_is_not_to_be_had_again),
	cmocka_unit_test(options__admit_needs_the_flag),
};

TEST_MAIN(cases)
