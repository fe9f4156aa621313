/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_monitor.c -- the life of a cache's monitor, and who lives beside it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/host.h"
#include "support/listener.h"
#include "support/test.h"

#define PAGE LISTENER_PAGE
#define ROOM 256

static struct listener listener;

/* ---- who unmaps ---- */

static struct {
	pthread_t thread;
	char *memory;
	_Atomic(bool) returned;
	bool found_mark; /* when it returned, it had begun or was told already */
} unmapper;

static void *unmap_page(void *context)
{
	(void)context;
	munmap(unmapper.memory, PAGE);
	unmapper.found_mark = listener.changing || listener.count;
	unmapper.returned = true;
	return NULL;
}

static void start_unmapping(char *memory)
{
	unmapper.memory = memory;
	test_ok(-pthread_create(&unmapper.thread, NULL, unmap_page, NULL));
}

static void thread__is_stopped_and_finds_the_mark(void **state)
{
	(void)state;
	listener_start(&listener, false);
	char *memory = listener_pages(&listener, 1);
	unsigned int before = listener.begun;
	pthread_mutex_lock(&listener.gate);
	start_unmapping(memory);
	while (listener.begun == before)
		sched_yield();
	/* nothing has been read: it cannot have returned, and the memory is gone */
	assert_int_equal(pinreg_monitor_pending(&listener.monitor), 1);
	assert_false(unmapper.returned);
	unsigned char resident;
	assert_int_equal(mincore(memory, PAGE, &resident), -1);
	pthread_mutex_unlock(&listener.gate);
	pthread_join(unmapper.thread, NULL);
	assert_true(unmapper.found_mark);
	assert_true(listener_heard(&listener, memory, PAGE));
	listener_stop(&listener);
}

static void pending__exactly_between(void **state)
{
	(void)state;
	listener_start(&listener, true);
	char *memory = listener_pages(&listener, 2);
	for (unsigned int i = 0; i < 200; i++) {
		assert_int_equal(pinreg_monitor_pending(&listener.monitor), 0);
		unsigned int before = listener.begun;
		pthread_mutex_lock(&listener.gate);
		start_unmapping(memory + PAGE);
		while (listener.begun == before)
			sched_yield();
		assert_int_equal(pinreg_monitor_pending(&listener.monitor), 1);
		pthread_mutex_unlock(&listener.gate);
		pthread_join(unmapper.thread, NULL);
		/* whoever was stopped has gone on */
		assert_int_equal(pinreg_monitor_pending(&listener.monitor), 0);
		assert_ptr_equal(mmap(memory + PAGE, PAGE, PROT_READ,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
				 memory + PAGE);
		listener_watch(&listener, memory + PAGE, PAGE);
		listener_forget(&listener);
	}
	listener_stop(&listener);
}

/* Asking for no bytes does nothing to what is watched, and nobody else is disturbed. */
static void pending__unmapping_of_others_is_none(void **state)
{
	(void)state;
	listener_start(&listener, true);
	char *memory = listener_pages(&listener, 1);
	char *other = listener_pages(NULL, 1);
	test_ok(munmap(other, PAGE));
	assert_int_equal(pinreg_monitor_pending(&listener.monitor), 0);
	assert_true(listener_watches(&listener, memory, PAGE));
	listener_stop(&listener);
}

/* The message comes before the pages go, and nothing tells when they have gone. */
static void settled__not_after_emptying(void **state)
{
	(void)state;
	listener_start(&listener, false);
	char *memory = listener_pages(&listener, 4);
	const uint64_t at = (uintptr_t)memory;
	assert_true(pinreg_monitor_settled(&listener.monitor, at, 4 * PAGE));
	test_ok(munmap(memory + 3 * PAGE, PAGE));
	assert_true(pinreg_monitor_settled(&listener.monitor, at, 4 * PAGE));
	test_ok(madvise(memory + PAGE, PAGE, MADV_DONTNEED));
	assert_true(listener_heard(&listener, memory + PAGE, PAGE));
	assert_false(pinreg_monitor_settled(&listener.monitor, at, 4 * PAGE));
	assert_false(pinreg_monitor_settled(&listener.monitor, at + 2 * PAGE - 1, 1));
	assert_true(pinreg_monitor_settled(&listener.monitor, at, PAGE));
	assert_true(pinreg_monitor_settled(&listener.monitor, at + 2 * PAGE, PAGE));
	listener_stop(&listener);
}

/* ---- a table with one call that is not the real one ---- */

static struct pinreg_sys table;

static struct pinreg_sys *real_table(void)
{
	table = pinreg_sys_real;
	return &table;
}

static _Atomic(pid_t) monitor_thread;

static int noting_wait(int fd, int event, bool *message, bool *raised)
{
	monitor_thread = gettid();
	return pinreg_sys_real.unmaps_wait(fd, event, message, raised);
}

/* How often the monitor's thread has gone to sleep, once it sleeps. */
static long sleeps(void)
{
	char path[64], line[256], flag = 'R';
	long count = -1, before = -2;
	snprintf(path, sizeof(path), "/proc/self/task/%d/status", (int)monitor_thread);
	/* twice the same, asleep: so it was not on its way */
	while (flag != 'S' || count != before) {
		before = count;
		FILE *file = fopen(path, "re");
		assert_non_null(file);
		while (fgets(line, sizeof(line), file)) {
			sscanf(line, "State: %c", &flag);
			sscanf(line, "voluntary_ctxt_switches: %ld", &count);
		}
		fclose(file);
	}
	return count;
}

static void thread__sleeps_while_nothing_happens(void **state)
{
	(void)state;
	real_table()->unmaps_wait = noting_wait;
	test_ok(listener_try(&listener, &table, true, NULL));
	char *memory = listener_pages(&listener, 8);
	assert_true(listener_watches(&listener, memory, PAGE));
	long before = sleeps();
	usleep(2000000);
	for (unsigned int i = 0; i < 1000; i++) {
		test_ok(munmap(listener_pages(NULL, 1), PAGE));
		test_ok(mprotect(memory, PAGE, PROT_READ));
		test_ok(mprotect(memory, PAGE, PROT_READ | PROT_WRITE));
		memory[i % (8 * PAGE)] = 1;
	}
	assert_int_equal(sleeps(), before);
	assert_true(listener_watches(&listener, memory, PAGE));
	assert_true(sleeps() > before);
	listener_stop(&listener);
}

static void expect_refusal(int expected, const char *step, int os_error, bool strict)
{
	struct pinreg_why why = { .reason = PINREG_REASON_NONE };
	char text[256];
	bool before[ROOM], after[ROOM];
	for (int fd = 0; fd < ROOM; fd++)
		before[fd] = fcntl(fd, F_GETFD) >= 0;
	assert_int_equal(listener_try(&listener, &table, strict, &why), expected);
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
	real_table()->unmaps_open = failing_open;
	for (size_t i = 0; i < 3; i++) {
		open_status = fatal[i];
		expect_refusal(-EOPNOTSUPP, "userfaultfd", -fatal[i], false);
		open_status = helped[i];
		expect_refusal(helped[i], "userfaultfd", -helped[i], false);
	}
	real_table()->event_open = failing_event;
	expect_refusal(-EMFILE, "eventfd", EMFILE, false);
	real_table()->map_anonymous = failing_map;
	expect_refusal(-ENOMEM, "mmap", ENOMEM, false);
	real_table()->unmaps_watch = failing_watch;
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
	real_table();
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
	real_table()->unmaps_watch = silent_watch;
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
	real_table()->unmaps_pending = says_no;
	expect_refusal(-EOPNOTSUPP, "UFFDIO_WRITEPROTECT", ENOMSG, true);
	test_ok(listener_try(&listener, &table, false, NULL));
	listener_stop(&listener);
	real_table()->unmaps_pending = says_yes;
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
	real_table()->map_anonymous = noting_map;
	table.unmap = noting_unmap;
	test_ok(listener_try(&listener, &table, true, NULL));
	assert_non_null(trial_page);
	assert_int_equal(trial_ends, 1);
	assert_false(listener_touched(&listener, trial_page, PAGE));
	listener_stop(&listener);
}

static _Atomic(bool) deaf;

static int failing_next(int fd, struct pinreg_unmap *out, unsigned int room)
{
	return deaf ? -EBADF : pinreg_sys_real.unmaps_next(fd, out, room);
}

/* Nothing is kept that nobody watches, and nobody waits for who does not read. */
static void thread__cannot_read_any_more(void **state)
{
	(void)state;
	real_table()->unmaps_next = failing_next;
	test_ok(listener_try(&listener, &table, true, NULL));
	char *memory = listener_pages(&listener, 2);
	deaf = true;
	start_unmapping(memory);
	pthread_join(unmapper.thread, NULL);
	assert_true(unmapper.found_mark);
	while (listener.changing || !listener.count)
		sched_yield();
	assert_int_equal(listener.heard[0].addr, 0);
	assert_true(listener.heard[0].length == UINT64_MAX);
	assert_true(pinreg_monitor_watch(&listener.monitor, (uintptr_t)memory + PAGE, PAGE) < 0);
	assert_true(pinreg_monitor_pending(&listener.monitor) < 0);
	test_ok(munmap(memory + PAGE, PAGE));
	listener_stop(&listener);
}

/* ---- the application's own userfaultfd ---- */

static void other__was_there_before(void **state)
{
	(void)state;
	listener_start(&listener, false);
	int other = listener_other();
	char *memory = listener_pages(NULL, 4);
	test_ok(listener_other_register(other, memory + PAGE, PAGE));
	assert_int_equal(pinreg_monitor_watch(&listener.monitor, (uintptr_t)memory, 4 * PAGE),
			 -EBUSY);
	assert_false(listener_watches(&listener, memory, PAGE));
	/* it has what it had, and the rest can be ours */
	assert_true(listener_other_has(other, memory + PAGE, PAGE));
	listener_watch(&listener, memory + 2 * PAGE, 2 * PAGE);
	assert_true(listener_watches(&listener, memory + 3 * PAGE, PAGE));
	close(other);
	listener_stop(&listener);
}

static void other__comes_when_it_is_not_watched_any_more(void **state)
{
	(void)state;
	listener_start(&listener, false);
	int other = listener_other();
	char *memory = listener_pages(&listener, 4);
	assert_int_equal(listener_other_register(other, memory, PAGE), -EBUSY);
	pinreg_monitor_unwatch(&listener.monitor, (uintptr_t)memory, 2 * PAGE);
	test_ok(listener_other_register(other, memory, 2 * PAGE));
	assert_true(listener_watches(&listener, memory + 2 * PAGE, 2 * PAGE));
	listener_forget(&listener);
	assert_true(listener_other_has(other, memory, PAGE));
	close(other);
	listener_stop(&listener);
}

/* Linux 6.12 ends a registration for whoever asks. */
static void other__is_not_driven_out(void **state)
{
	(void)state;
	listener_start(&listener, false);
	int other = listener_other();
	char *memory = listener_pages(&listener, 4);
	test_ok(munmap(memory, 4 * PAGE));
	assert_ptr_equal(mmap(memory, 4 * PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
			 memory);
	test_ok(listener_other_register(other, memory + PAGE, PAGE));
	pinreg_monitor_unwatch(&listener.monitor, (uintptr_t)memory, 4 * PAGE);
	assert_true(listener_other_has(other, memory + PAGE, PAGE));
	close(other);
	listener_stop(&listener);
}

/* ---- fork and exec ---- */

static void fork__child_unmaps_and_nobody_hears(void **state)
{
	(void)state;
	listener_start(&listener, true);
	char *memory = listener_pages(&listener, 4);
	int ours[] = { listener.monitor.fd, listener.monitor.event };
	pid_t child = host_fork();
	if (!child) {
		for (size_t i = 0; i < 2; i++)
			assert_int_equal(fcntl(ours[i], F_GETFD), -1);
		test_ok(madvise(memory, PAGE, MADV_DONTNEED));
		test_ok(munmap(memory, 4 * PAGE));
		_exit(0);
	}
	assert_int_equal(host_wait(child), 0);
	assert_false(listener_touched(&listener, memory, 4 * PAGE));
	assert_int_equal(pinreg_monitor_pending(&listener.monitor), 0);
	assert_true(listener_watches(&listener, memory, PAGE));
	listener_stop(&listener);
}

static void exec__ends_it(void **state)
{
	(void)state;
	pid_t child = host_fork();
	if (!child) {
		listener_start(&listener, true);
		listener_pages(&listener, 4);
		assert_int_equal(fcntl(listener.monitor.fd, F_GETFD), FD_CLOEXEC);
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	assert_int_equal(host_wait(child), 0);
}

/* Who unmaps while it is stopped is let go. */
static void stop__while_somebody_unmaps(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 100; i++) {
		listener_start(&listener, false);
		char *memory = listener_pages(&listener, 1);
		start_unmapping(memory);
		listener_stop(&listener);
		pthread_join(unmapper.thread, NULL);
	}
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(thread__is_stopped_and_finds_the_mark),
	cmocka_unit_test(thread__sleeps_while_nothing_happens),
	cmocka_unit_test(thread__cannot_read_any_more),
	cmocka_unit_test(pending__exactly_between),
	cmocka_unit_test(pending__unmapping_of_others_is_none),
	cmocka_unit_test(settled__not_after_emptying),
	cmocka_unit_test(start__a_call_fails),
	cmocka_unit_test(start__forbidden_by_seccomp),
	cmocka_unit_test(start__without_privileges),
	cmocka_unit_test(start__kernel_sends_nothing),
	cmocka_unit_test(start__leaves_nothing_of_its_trial),
	cmocka_unit_test(strict__kernel_does_not_tell),
	cmocka_unit_test(other__was_there_before),
	cmocka_unit_test(other__comes_when_it_is_not_watched_any_more),
	cmocka_unit_test(other__is_not_driven_out),
	cmocka_unit_test(fork__child_unmaps_and_nobody_hears),
	cmocka_unit_test(exec__ends_it),
	cmocka_unit_test(stop__while_somebody_unmaps),
};

TEST_MAIN(cases)
