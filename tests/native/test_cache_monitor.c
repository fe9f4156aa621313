/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_monitor.c -- whether a cache's monitor can be had: what is said where it
 * cannot, and what is left of the trial.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/listener.h"
#include "support/test.h"

#define PAGE LISTENER_PAGE
#define ROOM 256

static struct listener listener;

static void expect_refusal(int expected, const char *step, int os_error, bool strict)
{
	struct pinreg_why why = { .reason = PINREG_REASON_NONE };
	char text[256];
	bool before[ROOM], after[ROOM];
	for (int fd = 0; fd < ROOM; fd++)
		before[fd] = fcntl(fd, F_GETFD) >= 0;
	assert_int_equal(listener_try(&listener, &listener_table, strict, &why), expected);
	for (int fd = 0; fd < ROOM; fd++)
		after[fd] = fcntl(fd, F_GETFD) >= 0;
	assert_memory_equal(before, after, sizeof(before));
	assert_int_equal(why.error, expected);
	assert_int_equal(why.reason, PINREG_REASON_UNHEARD);
	assert_int_equal(why.os_error, os_error);
	assert_string_equal(why.step, step);
	assert_true(pinreg_why_describe(&why, text, sizeof(text)) > 0);
	puts(text);
}

static int open_status;

static int failing_open(const char **step)
{
	*step = "userfaultfd";
	return open_status;
}

static int failing_event(void)
{
	return -EMFILE;
}

static int failing_watch(int fd, uint64_t addr, uint64_t length)
{
	(void)fd;
	(void)addr;
	(void)length;
	return -EINVAL;
}

static int failing_map(uint64_t length, void **out)
{
	(void)length;
	(void)out;
	return -ENOMEM;
}

static void start__a_call_fails(void **state)
{
	(void)state;
	const int fatal[] = { -EPERM, -ENOSYS, -EACCES };
	const int helped[] = { -EMFILE, -ENFILE, -ENOMEM };
	listener_real_table()->unmaps_open = failing_open;
	for (size_t i = 0; i < 3; i++) {
		open_status = fatal[i];
		expect_refusal(-EOPNOTSUPP, "userfaultfd", -fatal[i], false);
		open_status = helped[i];
		expect_refusal(helped[i], "userfaultfd", -helped[i], false);
	}
	listener_real_table()->event_open = failing_event;
	expect_refusal(-EMFILE, "eventfd", EMFILE, false);
	listener_real_table()->map_anonymous = failing_map;
	expect_refusal(-ENOMEM, "mmap", ENOMEM, false);
	listener_real_table()->unmaps_watch = failing_watch;
	expect_refusal(-EOPNOTSUPP, "UFFDIO_REGISTER", EINVAL, false);
}

/* What a container does. The real call, and nothing is injected. */
static void start__forbidden_by_seccomp(void **state)
{
	(void)state;
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_userfaultfd, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = 4, .filter = filter };
	test_ok(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		test_skip("no seccomp filters: %s", strerror(errno));
	listener_real_table();
	expect_refusal(-EOPNOTSUPP, "userfaultfd", EPERM, false);
}

static void start__without_privileges(void **state)
{
	(void)state;
	if (!geteuid())
		test_ok(setresuid(65534, 65534, 65534));
	listener_start(&listener, true);
	char *memory = listener_pages(&listener, 1);
	assert_true(listener_watches(&listener, memory, PAGE));
	listener_stop(&listener);
}

static int silent_watch(int fd, uint64_t addr, uint64_t length)
{
	(void)fd;
	(void)addr;
	(void)length;
	return 0;
}

static void start__kernel_sends_nothing(void **state)
{
	(void)state;
	listener_real_table()->unmaps_watch = silent_watch;
	expect_refusal(-EOPNOTSUPP, "read(userfaultfd)", ENOMSG, false);
}

static int says_no(int fd)
{
	(void)fd;
	return 0;
}

static int says_yes(int fd)
{
	(void)fd;
	return 1;
}

static void strict__kernel_does_not_tell(void **state)
{
	(void)state;
	listener_real_table()->unmaps_pending = says_no;
	expect_refusal(-EOPNOTSUPP, "UFFDIO_WRITEPROTECT", ENOMSG, true);
	test_ok(listener_try(&listener, &listener_table, false, NULL));
	listener_stop(&listener);
	listener_real_table()->unmaps_pending = says_yes;
	expect_refusal(-EOPNOTSUPP, "UFFDIO_WRITEPROTECT", ENOMSG, true);
}

static void *trial_page;
static unsigned int trial_ends;

static int noting_map(uint64_t length, void **out)
{
	int status = pinreg_sys_real.map_anonymous(length, out);
	trial_page = *out;
	return status;
}

static int noting_unmap(void *addr, uint64_t length)
{
	trial_ends += addr == trial_page && length == PAGE;
	return pinreg_sys_real.unmap(addr, length);
}

static void start__leaves_nothing_of_its_trial(void **state)
{
	(void)state;
	listener_real_table()->map_anonymous = noting_map;
	listener_table.unmap = noting_unmap;
	test_ok(listener_try(&listener, &listener_table, true, NULL));
	assert_non_null(trial_page);
	assert_int_equal(trial_ends, 1);
	assert_false(listener_touched(&listener, trial_page, PAGE));
	listener_stop(&listener);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(start__a_call_fails),
	cmocka_unit_test(start__forbidden_by_seccomp),
	cmocka_unit_test(start__without_privileges),
	cmocka_unit_test(start__kernel_sends_nothing),
	cmocka_unit_test(strict__kernel_does_not_tell),
	cmocka_unit_test(start__leaves_nothing_of_its_trial),
};

TEST_MAIN(cases)
