/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_fork_moments.c -- a fork at any moment, and programs that are executed.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "domain.h"
#include "support/hooks.h"
#include "support/test.h"

extern char **environ;

static _Atomic(bool) enough;

static void *fork_on_and_on(void *count)
{
	while (!atomic_load(&enough)) {
		pid_t child = fork();
		if (!child)
			_exit(0);
		test_ok(child);
		assert_int_equal(host_wait(child), 0);
		++*(unsigned int *)count;
	}
	return NULL;
}

static void fork__while_leases_are_broken(void **state)
{
	(void)state;
	enum { BREAKS = 40 };
	struct pinreg_event event;
	unsigned int forks = 0;
	uint64_t longest = 0;
	pthread_t thread;
	hooks_files();
	struct pinreg_domain *domain = hooks_domain(1);
	struct pinreg_file *file = hooks_open(domain, hooks_a);
	struct pinreg_region *region = hooks_register(file);
	pthread_create(&thread, NULL, fork_on_and_on, &forks);
	for (unsigned int i = 0; i < BREAKS; i++) {
		int writer = host_start("exec 9>>'%s'", hooks_a);
		host_expect(domain, PINREG_EVENT_BREAK, &event);
		host_expect(domain, PINREG_EVENT_FENCED, &event);
		if (event.held_up_ns > longest)
			longest = event.held_up_ns;
		assert_int_equal(host_wait(writer), 0);
		host_expect(domain, PINREG_EVENT_RESTORED, &event);
		assert_int_equal(event.generation, i + 2);
	}
	atomic_store(&enough, true);
	pthread_join(thread, NULL);
	printf("%u forks, %u breaks, held up for %.3f ms at most\n", forks, BREAKS,
	       (double)longest / 1e6);
	assert_true(forks > BREAKS);
	test_ok(pinreg_region_deregister(region));
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

static void *test_odp(void *domain)
{
	struct pinreg_trust_report report = { .size = sizeof(report) };
	test_ok(pinreg_domain_test_odp(domain, &report));
	return NULL;
}

static _Atomic(bool) testing, may_test;

static int loop_open_held(struct ibv_pd *pd, unsigned int port, struct pinreg_loop **out)
{
	testing = true;
	while (!may_test)
		hooks_nap(1);
	return fake_device_sys()->loop_open(pd, port, out);
}

static struct pinreg_domain *untested_domain(void)
{
	static struct pinreg_sys table;
	struct pinreg_domain *domain = NULL;
	struct pinreg_device device;
	table = pinreg_sys_real;
	table.device_query = fake_device_sys()->device_query;
	table.port_query = fake_device_sys()->port_query;
	table.mr_register = fake_device_sys()->mr_register;
	table.mr_deregister = fake_device_sys()->mr_deregister;
	table.loop_open = loop_open_held;
	table.loop_write = fake_device_sys()->loop_write;
	table.loop_read = fake_device_sys()->loop_read;
	table.loop_close = fake_device_sys()->loop_close;
	fake_device_use(&device);
	test_ok(pinreg_domain_open_with(&table, device.pd, NULL, &domain));
	return domain;
}

/* The thread that tests is not in the child: who asks there must not wait for it. */
static void fork__in_the_middle_of_a_data_test(void **state)
{
	(void)state;
	pthread_t thread;
	fake_device_reset();
	fake_device.attr.orig_attr.max_mr_size = UINT64_MAX;
	struct pinreg_domain *domain = untested_domain();
	pthread_create(&thread, NULL, test_odp, domain);
	while (!testing)
		hooks_nap(1);
	pid_t child = host_fork();
	may_test = true; /* of the parent and of the child, each its own */
	if (!child) {
		test_odp(untested_domain());
		_exit(0);
	}
	assert_int_equal(host_wait(child), 0);
	pthread_join(thread, NULL);
	test_ok(pinreg_domain_close(domain));
}

/* ---- programs ---- */

/* The number of descriptors that an executed program has. */
static unsigned int descriptors_of_a_program(void)
{
	static char *const arguments[] = { "sh", "-c", "ls /proc/self/fd | wc -l", NULL };
	posix_spawn_file_actions_t actions;
	char text[16] = "";
	int out[2];
	pid_t program;
	test_ok(pipe2(out, O_CLOEXEC));
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
	assert_int_equal(posix_spawn(&program, "/bin/sh", &actions, NULL, arguments, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(out[1]);
	assert_int_equal(host_wait(program), 0);
	assert_true(read(out[0], text, sizeof(text) - 1) > 0);
	close(out[0]);
	return (unsigned int)atoi(text);
}

static void spawn__program_has_none_of_the_descriptors(void **state)
{
	(void)state;
	hooks_files();
	unsigned int before = descriptors_of_a_program();
	assert_true(before >= 3);
	struct pinreg_domain *domain = hooks_domain(0);
	struct pinreg_file *file = hooks_open(domain, hooks_a);
	struct pinreg_region *region = hooks_register(file);
	assert_int_equal(descriptors_of_a_program(), before);
	test_ok(pinreg_region_deregister(region));
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(fork__while_leases_are_broken),
	cmocka_unit_test(fork__in_the_middle_of_a_data_test),
	cmocka_unit_test(spawn__program_has_none_of_the_descriptors),
};

TEST_MAIN(cases)
