/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_idle.c -- the library's threads cost nothing while nothing happens.
 */
#include <stdatomic.h>

#include "support/hooks.h"
#include "support/library_threads.h"
#include "support/test.h"

static _Atomic(bool) restored;

static void pass_over(void *context, const struct pinreg_event *event)
{
	(void)context;
	if (event->type == PINREG_EVENT_RESTORED)
		atomic_store(&restored, true);
}

static void watcher__sleeps_while_nothing_happens(void **state)
{
	(void)state;
	hooks_on_event = pass_over;
	struct pinreg_domain *domain = hooks_domain(1);
	hooks_files();
	struct pinreg_file *file = hooks_open(domain, hooks_a);
	/* it was awake, and all threads had something to do */
	assert_int_equal(host_run(": >> '%s'", hooks_a), 0);
	while (!atomic_load(&restored))
		hooks_nap(1);
	struct library_threads before = library_threads_settle();
	assert_int_equal(before.count, 3);
	hooks_nap(10000);
	assert_int_equal(library_threads_now().sleeps, before.sleeps);
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(watcher__sleeps_while_nothing_happens),
};

TEST_MAIN(cases)
