/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_interrupted.c -- under an application whose signals come all the time, and end
 * each system call that can be ended by one.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/hooks.h"
#include "support/test.h"

static _Atomic(bool) enough;
static _Atomic(unsigned int) came;

static void handler(int signal)
{
	(void)signal;
	atomic_fetch_add(&came, 1);
}

/* Without SA_RESTART, as for a signal that is to end a wait. */
static void handle(int signal)
{
	struct sigaction action = { .sa_handler = handler };
	test_ok(sigaction(signal, &action, NULL));
}

/* Send a signal to the thread every so often. */
struct pest {
	pthread_t pesterer;
	pthread_t whom;
	unsigned int pause_us;
};

static void *pester(void *context)
{
	const struct pest *pest = context;
	while (!atomic_load(&enough)) {
		pthread_kill(pest->whom, SIGUSR1);
		usleep(pest->pause_us);
	}
	return NULL;
}

static void pest_begin(struct pest *pest, unsigned int pause_us)
{
	handle(SIGUSR1);
	*pest = (struct pest){ .whom = pthread_self(), .pause_us = pause_us };
	atomic_store(&enough, false);
	assert_int_equal(pthread_create(&pest->pesterer, NULL, pester, pest), 0);
}

static void pest_end(struct pest *pest)
{
	atomic_store(&enough, true);
	pthread_join(pest->pesterer, NULL);
}

static void grow_and_use(struct pinreg_domain *domain, const char *path, uint64_t length)
{
	struct pinreg_file_opts opts = hooks_cache_ok;
	struct pinreg_region_opts staged = {
		.size = sizeof(staged),
		.method = PINREG_METHOD_STAGED,
	};
	struct pinreg_file *file = NULL;
	struct pinreg_region *region = NULL;
	opts.create = 1;
	opts.length = length;
	test_ok(pinreg_file_open(domain, AT_FDCWD, path, &opts, NULL, &file));
	test_ok(pinreg_file_register(file, 0, 0, &staged, NULL, &region));
	test_ok(pinreg_region_commit(region, 0, length));
	test_ok(pinreg_region_refresh(region, 0, length));
	test_ok(pinreg_region_deregister(region));
	test_ok(pinreg_file_close(file));
}

static void interrupted__every_call(void **state)
{
	(void)state;
	struct pinreg_file_report report = { .size = sizeof(report) };
	struct pest pest;
	hooks_files();
	pest_begin(&pest, 100);
	for (unsigned int i = 0; i < 30; i++) {
		struct pinreg_domain *domain = hooks_domain(0);
		grow_and_use(domain, hooks_a, (i + 2) * 16 * HOOKS_LENGTH);
		host_domain_close(domain);
		test_ok(pinreg_file_prepare(AT_FDCWD, hooks_b, &hooks_cache_ok, NULL, &report));
	}
	pest_end(&pest);
	printf("%u signals\n", atomic_load(&came));
	assert_true(atomic_load(&came) > 100);
}

static void *wait_for_signals(void *context)
{
	static const struct timespec a_moment = { .tv_nsec = 20000000 };
	_Atomic(unsigned int) *taken = context;
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	while (!atomic_load(&enough))
		*taken += sigtimedwait(&set, NULL, &a_moment) > 0;
	return NULL;
}

static void block(int signal)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, signal);
	test_ok(pthread_sigmask(SIG_BLOCK, &set, NULL));
}

/* Timer, handlers, a thread in sigwait and a signalfd, each with its signals. */
static void interrupted__while_leases_are_broken(void **state)
{
	(void)state;
	enum { BREAKS = 25 };
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, never = { 0 };
	struct pinreg_event event;
	struct signalfd_siginfo info;
	_Atomic(unsigned int) waited = 0;
	unsigned int read_of_them = 0;
	sigset_t set;
	pthread_t waiter;
	struct pest pest;
	hooks_files();
	handle(SIGALRM);
	handle(SIGIO);
	handle(SIGRTMIN);
	block(SIGRTMIN + 1);
	block(SIGRTMIN + 2);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 2);
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	test_ok(fd);
	pest_begin(&pest, 200);
	assert_int_equal(pthread_create(&waiter, NULL, wait_for_signals, &waited), 0);
	struct pinreg_domain *domain = hooks_domain(1);
	struct pinreg_file *file = hooks_open(domain, hooks_a);
	struct pinreg_region *region = hooks_register(file);
	setitimer(ITIMER_REAL, &often, NULL);
	for (unsigned int i = 0; i < BREAKS; i++) {
		int writer = host_start("exec 9>>'%s'", hooks_a);
		for (int number = SIGRTMIN; number <= SIGRTMIN + 2; number++)
			test_ok(sigqueue(getpid(), number, (union sigval){ 0 }));
		test_ok(kill(getpid(), SIGIO));
		/* the events, through an interrupted poll */
		for (unsigned int left = 3; left;) {
			event.size = sizeof(event);
			int status = pinreg_domain_next_event(domain, &event);
			if (status == -EAGAIN) {
				usleep(1000);
				continue;
			}
			test_ok(status);
			left--;
			assert_int_not_equal(event.type, PINREG_EVENT_LOST);
		}
		assert_int_equal(event.type, PINREG_EVENT_RESTORED);
		assert_int_equal(event.generation, i + 2);
		while (waitpid(writer, NULL, 0) < 0)
			assert_int_equal(errno, EINTR);
		read_of_them += read(fd, &info, sizeof(info)) == sizeof(info);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	while (waited < BREAKS)
		hooks_nap(1);
	pest_end(&pest);
	pthread_join(waiter, NULL);
	assert_int_equal(waited, BREAKS);
	assert_int_equal(read_of_them, BREAKS);
	close(fd);
	test_ok(pinreg_region_deregister(region));
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(interrupted__every_call),
	cmocka_unit_test(interrupted__while_leases_are_broken),
};

TEST_MAIN(cases)
