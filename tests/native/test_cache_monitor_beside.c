/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_monitor_beside.c -- who lives beside a cache's monitor: a userfaultfd of the
 * application's own, a forked child, and the program that is executed.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/host.h"
#include "support/listener.h"
#include "support/test.h"

#define PAGE LISTENER_PAGE

static struct listener listener;

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

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(other__was_there_before),
	cmocka_unit_test(other__comes_when_it_is_not_watched_any_more),
	cmocka_unit_test(other__is_not_driven_out),
	cmocka_unit_test(fork__child_unmaps_and_nobody_hears),
	cmocka_unit_test(exec__ends_it),
};

TEST_MAIN(cases)
