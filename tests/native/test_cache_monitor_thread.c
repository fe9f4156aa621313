/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_monitor_thread.c -- the thread of a cache's monitor and the one that unmaps:
 * what either knows of the other, and when.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/listener.h"
#include "support/test.h"

#define PAGE LISTENER_PAGE

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
	listener_real_table()->unmaps_wait = noting_wait;
	test_ok(listener_try(&listener, &listener_table, true, NULL));
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

static _Atomic(bool) deaf;

static int failing_next(int fd, struct pinreg_unmap *out, unsigned int room)
{
	return deaf ? -EBADF : pinreg_sys_real.unmaps_next(fd, out, room);
}

/* Nothing is kept that nobody watches, and nobody waits for who does not read. */
static void thread__cannot_read_any_more(void **state)
{
	(void)state;
	listener_real_table()->unmaps_next = failing_next;
	test_ok(listener_try(&listener, &listener_table, true, NULL));
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
	cmocka_unit_test(pending__exactly_between),
	cmocka_unit_test(pending__unmapping_of_others_is_none),
	cmocka_unit_test(settled__not_after_emptying),
	cmocka_unit_test(thread__sleeps_while_nothing_happens),
	cmocka_unit_test(thread__cannot_read_any_more),
	cmocka_unit_test(stop__while_somebody_unmaps),
};

TEST_MAIN(cases)
