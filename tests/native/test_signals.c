/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_signals.c -- breaks are heard, and the application's signals are left to
 * it, whatever it does with signals itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "domain.h"
#include "support/asleep.h"
#include "support/hooks.h"
#include "support/test.h"

static struct pinreg_domain *domain;
static struct pinreg_file *file;

static void open_file(int signal)
{
	hooks_break_signal = signal;
	domain = hooks_domain(1);
	hooks_files();
	file = hooks_open(domain, hooks_a);
}

static void expect_break_and_return(void)
{
	struct pinreg_event event;
	assert_int_equal(host_run(": >> '%s'", hooks_a), 0);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
}

static void close_file(void)
{
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

/* ---- an application that uses signals ---- */

static unsigned int handled;
static int handled_fd = -1;

static void handler(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	__atomic_add_fetch(&handled, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&handled_fd, info->si_fd, __ATOMIC_SEQ_CST);
}

static void handle(int signal)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART };
	test_ok(sigaction(signal, &action, NULL));
}

static void block(int signal)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, signal);
	test_ok(pthread_sigmask(SIG_BLOCK, &set, NULL));
}

/* Every second one has a handler, the others are blocked; one is left. */
static void use_all_but(int left)
{
	for (int signal = SIGRTMIN; signal <= SIGRTMAX; signal++) {
		if (signal != left && signal % 2)
			handle(signal);
		else if (signal != left)
			block(signal);
	}
}

/* Wait up to ten seconds for one that is blocked. */
static siginfo_t await(int signal)
{
	static const struct timespec limit = { .tv_sec = 10 };
	siginfo_t info;
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, signal);
	if (sigtimedwait(&set, &info, &limit) != signal)
		fail_msg("signal %d did not come", signal);
	return info;
}

static void signal__the_only_one_left(void **state)
{
	(void)state;
	use_all_but(SIGRTMIN + 5);
	open_file(0);
	assert_int_equal(domain->watch.signals.signal, SIGRTMIN + 5);
	expect_break_and_return();
	expect_break_and_return();
	assert_int_equal(handled, 0);
	close_file();
}

static void signal__none_is_left(void **state)
{
	(void)state;
	struct pinreg_why why;
	char text[256];
	use_all_but(0);
	domain = hooks_domain(1);
	hooks_files();
	assert_int_equal(pinreg_file_open(domain, AT_FDCWD, hooks_a, &hooks_cache_ok, &why, &file),
			 -EBUSY);
	assert_int_equal(why.reason, PINREG_REASON_NO_SIGNAL);
	assert_true(pinreg_why_describe(&why, text, sizeof(text)) > 0);
	assert_non_null(strstr(text, "break_signal"));
	/* without a watcher as well */
	struct pinreg_file_report report = { .size = sizeof(report) };
	assert_int_equal(pinreg_file_prepare(AT_FDCWD, hooks_a, &hooks_cache_ok, &why, &report),
			 -EBUSY);
	assert_int_equal(why.reason, PINREG_REASON_NO_SIGNAL);
	signal(SIGRTMIN + 1, SIG_DFL);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	test_ok(pthread_sigmask(SIG_UNBLOCK, &set, NULL));
	file = hooks_open(domain, hooks_a);
	expect_break_and_return();
	close_file();
}

/* As another library does it: a lease whose owner is the process. */
static void signal__of_another_library_too(void **state)
{
	(void)state;
	struct pinreg_event event;
	int number = SIGRTMIN + 3;
	handle(number);
	open_file(number);
	int fd = open(hooks_b, O_RDWR | O_CLOEXEC);
	test_ok(fcntl(fd, F_SETSIG, number));
	test_ok(fcntl(fd, F_SETOWN, getpid()));
	test_ok(fcntl(fd, F_SETLEASE, F_WRLCK));
	int theirs = host_start(": >> '%s'", hooks_b);
	int ours = host_start(": >> '%s'", hooks_a);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	for (int i = 0; i < 1000 && !__atomic_load_n(&handled, __ATOMIC_SEQ_CST); i++)
		hooks_nap(10);
	assert_int_equal(handled, 1);
	assert_int_equal(handled_fd, fd);
	test_ok(fcntl(fd, F_SETLEASE, F_UNLCK));
	assert_int_equal(host_wait(theirs), 0);
	assert_int_equal(host_wait(ours), 0);
	close(fd);
	close_file();
}

/* A file of ours was closed, and its number is something else's by the time. */
static void signal__of_a_number_that_is_something_else(void **state)
{
	(void)state;
	struct pinreg_signals signals;
	int pair[2];
	test_ok(pinreg_sys_real.signal_choose(0, &signals));
	test_ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	test_ok(fcntl(pair[0], F_SETOWN, getpid()));
	/* nobody has a handler for it: it would end this process */
	pinreg_sys_real.signals_unknown(&signals, pair[0]);
	assert_false(signals.shared);
	close(pair[0]);
	close(pair[1]);
}

/* The same, and it waits for the signal, which all its threads block. */
static void signal__of_another_library_that_waits(void **state)
{
	(void)state;
	int number = SIGRTMIN + 3;
	open_file(number);
	block(number); /* later than the library looked */
	int fd = open(hooks_b, O_RDWR | O_CLOEXEC);
	for (int i = 0; i < 3; i++) {
		test_ok(fcntl(fd, F_SETSIG, number)); /* each release forgets it */
		test_ok(fcntl(fd, F_SETOWN, getpid()));
		test_ok(fcntl(fd, F_SETLEASE, F_WRLCK));
		int theirs = host_start(": >> '%s'", hooks_b);
		expect_break_and_return();
		assert_int_equal(await(number).si_fd, fd);
		test_ok(fcntl(fd, F_SETLEASE, F_UNLCK));
		assert_int_equal(host_wait(theirs), 0);
	}
	close(fd);
	close_file();
}

static void send_and_await(int number)
{
	for (int i = 1; i <= 50; i++) {
		test_ok(sigqueue(getpid(), number, (union sigval){ .sival_int = i }));
		assert_int_equal(await(number).si_value.sival_int, i);
		if (i % 10 == 0)
			expect_break_and_return();
	}
	test_ok(kill(getpid(), number));
	await(number);
}

static void signal__the_application_waits_for_it(void **state)
{
	(void)state;
	block(SIGRTMIN + 3);
	open_file(SIGRTMIN + 3);
	send_and_await(SIGRTMIN + 3);
	close_file();
}

static void signal__the_application_waits_for_it_later(void **state)
{
	(void)state;
	open_file(0);
	block(domain->watch.signals.signal);
	send_and_await(domain->watch.signals.signal);
	close_file();
}

static void signal__sigio_is_the_applications(void **state)
{
	(void)state;
	block(SIGIO);
	open_file(0);
	for (int i = 0; i < 5; i++) {
		test_ok(kill(getpid(), SIGIO));
		expect_break_and_return();
		await(SIGIO);
	}
	close_file();
	/* nor is it taken by a lease for the length of a call */
	struct pinreg_file_report report = { .size = sizeof(report) };
	test_ok(kill(getpid(), SIGIO));
	test_ok(pinreg_file_prepare(AT_FDCWD, hooks_a, &hooks_cache_ok, NULL, &report));
	await(SIGIO);
}

/* One that nobody takes must not keep the watcher awake. */
static void signal__pending_for_the_application(void **state)
{
	(void)state;
	hooks = (struct pinreg_sys){ .wait = asleep_wait };
	block(SIGIO);
	block(SIGRTMIN + 3);
	open_file(SIGRTMIN + 3);
	test_ok(kill(getpid(), SIGIO));
	test_ok(sigqueue(getpid(), SIGRTMIN + 3, (union sigval){ 0 }));
	unsigned int before = asleep_settle();
	hooks_nap(500);
	assert_int_equal(asleep_count(), before);
	expect_break_and_return();
	close_file();
}

/* ---- the queue of signals is full ---- */

static unsigned int overflows;

static int count_overflows(struct pinreg_signals *signals, int *fds, unsigned int room)
{
	int count = pinreg_sys_real.signals_next(signals, fds, room);
	for (int i = 0; i < count; i++)
		overflows += fds[i] < 0;
	return count;
}

static void signal__queue_is_full(void **state)
{
	(void)state;
	struct rlimit none = { 0 }, before;
	struct pinreg_event event;
	hooks = (struct pinreg_sys){ .signals_next = count_overflows };
	open_file(0);
	struct pinreg_file *other = hooks_open(domain, hooks_b);
	test_ok(getrlimit(RLIMIT_SIGPENDING, &before));
	none.rlim_max = before.rlim_max;
	test_ok(setrlimit(RLIMIT_SIGPENDING, &none));
	int first = host_start(": >> '%s'", hooks_a);
	int second = host_start(": >> '%s'", hooks_b);
	unsigned int restored = 0;
	while (restored < 2) {
		host_any(domain, &event);
		assert_int_not_equal(event.type, PINREG_EVENT_LOST);
		restored += event.type == PINREG_EVENT_RESTORED;
	}
	assert_int_equal(host_wait(first), 0);
	assert_int_equal(host_wait(second), 0);
	test_ok(setrlimit(RLIMIT_SIGPENDING, &before));
	test_ok(pinreg_file_close(other));
	close_file();
	assert_true(overflows > 0);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(signal__the_only_one_left),
	cmocka_unit_test(signal__none_is_left),
	cmocka_unit_test(signal__of_another_library_too),
	cmocka_unit_test(signal__of_a_number_that_is_something_else),
	cmocka_unit_test(signal__of_another_library_that_waits),
	cmocka_unit_test(signal__the_application_waits_for_it),
	cmocka_unit_test(signal__the_application_waits_for_it_later),
	cmocka_unit_test(signal__sigio_is_the_applications),
	cmocka_unit_test(signal__pending_for_the_application),
	cmocka_unit_test(signal__queue_is_full),
};

TEST_MAIN(cases)
