/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_crew.c -- the threads that touch memory together: how many, on which
 * CPUs, what they tell on the way, and how they are ended.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "support/runs.h"
#include "support/test.h"
#include "support/touching.h"
#include "sys/cpus.h"
#include "sys/real.h"
#include "sys/sysfs.h"

/* What a progress function was told. */
static struct {
	unsigned int calls;
	unsigned int wrong;
	uint64_t last;
	uint64_t cancel_at; /* bytes; 0: never */
} told;

static int listen_to(void *context, uint64_t done, uint64_t total)
{
	told.wrong +=
		context != &told || total != TOUCHING_ROOM || done <= told.last || done > total;
	told.wrong += !pthread_equal(pthread_self(), touching.caller);
	told.last = done;
	told.calls++;
	touching.told = true;
	return told.cancel_at && done >= told.cancel_at;
}

static void progress__grows_and_ends_at_the_total(void **state)
{
	(void)state;
	struct pinreg_populate how = {
		.write = true,
		.threads = 4,
		.progress = listen_to,
		.context = &told,
	};
	touching.cpus = 4;
	test_ok(touching_do(touching_cold(TOUCHING_ROOM), TOUCHING_ROOM, &how));
	assert_int_equal(told.wrong, 0);
	assert_int_equal(told.last, TOUCHING_ROOM);
}

static void progress__is_told_now_and_then(void **state)
{
	(void)state;
	struct pinreg_populate how = {
		.write = true,
		.threads = 1,
		.progress = listen_to,
		.context = &told,
	};
	test_ok(touching_do(touching_cold(TOUCHING_ROOM), TOUCHING_ROOM, &how));
	assert_int_equal(told.wrong, 0);
	assert_int_equal(told.calls, TOUCHING_ROOM / (32 * MIB));
}

static void progress__of_touched_memory_is_none(void **state)
{
	(void)state;
	struct pinreg_populate how = { .write = true, .progress = listen_to, .context = &told };
	unsigned char *memory = touching_cold(TOUCHING_ROOM);
	memset(memory, 1, TOUCHING_ROOM);
	test_ok(touching_do(memory, TOUCHING_ROOM, &how));
	assert_int_equal(told.calls, 0);
}

static void cancel__on_the_way(void **state)
{
	(void)state;
	struct pinreg_populate how = {
		.write = true,
		.threads = 8,
		.progress = listen_to,
		.context = &told,
	};
	touching.cpus = 8;
	touching.slow = true;
	told.cancel_at = 1;
	assert_int_equal(touching_do(touching_cold(TOUCHING_ROOM), TOUCHING_ROOM, &how),
			 -ECANCELED);
	assert_int_equal(told.calls, 1);
	touching_no_thread_left();
	assert_true(touching.bytes < TOUCHING_ROOM);
}

static void cancel__at_the_end(void **state)
{
	(void)state;
	struct pinreg_populate how = { .write = true, .progress = listen_to, .context = &told };
	told.cancel_at = TOUCHING_ROOM;
	assert_int_equal(touching_do(touching_cold(TOUCHING_ROOM), TOUCHING_ROOM, &how),
			 -ECANCELED);
	assert_int_equal(told.last, TOUCHING_ROOM);
}

/* So many threads on so many CPUs. */
static void count_threads(unsigned int threads, unsigned int on, unsigned int expected)
{
	struct pinreg_populate how = { .write = true, .threads = threads };
	unsigned char *memory = touching_cold(TOUCHING_ROOM);
	sigset_t before, after;
	memset(&before, 0, sizeof(before));
	memset(&after, 0, sizeof(after));
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	touching.cpus = on;
	test_ok(touching_do(memory, TOUCHING_ROOM, &how));
	/* who comes late may find everything done */
	assert_in_range(touching_threads(), 1, expected);
	if (expected == 1)
		assert_int_equal(touching.foreign, 0);
	assert_int_equal(touching_resident(memory, TOUCHING_ROOM), TOUCHING_ROOM / page_size());
	assert_int_equal(touching.bytes, TOUCHING_ROOM);
	assert_int_equal(touching.signals_open, 0);
	touching_no_thread_left();
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	assert_memory_equal(&before, &after, sizeof(before));
}

static void threads__one(void **state)
{
	(void)state;
	count_threads(1, 8, 1);
}

static void threads__two(void **state)
{
	(void)state;
	count_threads(2, 8, 2);
}

static void threads__eight(void **state)
{
	(void)state;
	count_threads(8, 8, 8);
}

static void threads__no_more_than_cpus(void **state)
{
	(void)state;
	count_threads(8, 2, 2);
}

static void threads__none_for_one_cpu(void **state)
{
	(void)state;
	count_threads(0, 1, 1);
}

static void threads__none_for_little(void **state)
{
	(void)state;
	touching.cpus = 1000;
	unsigned char *memory = touching_cold(TOUCHING_ROOM);
	test_ok(touching_do(memory, 12 * MIB, NULL));
	assert_int_equal(touching_threads(), 1);
	assert_int_equal(touching.foreign, 0);
	assert_int_equal(touching.bytes, 12 * MIB);
}

static void threads__each_has_some_mebibytes(void **state)
{
	(void)state;
	touching.cpus = 1000;
	unsigned char *memory = touching_cold(TOUCHING_ROOM);
	test_ok(touching_do(memory, 28 * MIB, NULL));
	assert_in_range(touching_threads(), 1, 3);
	assert_int_equal(touching.bytes, 28 * MIB);
}

static void nodes__get_threads_in_turn(void **state)
{
	(void)state;
	touching.cpus = 8;
	touching.nodes = 4;
	unsigned char *memory = touching_cold(TOUCHING_ROOM);
	test_ok(touching_do(memory, TOUCHING_ROOM, NULL));
	/* two on each, one of those on the first being the caller, who stays where he is */
	assert_int_equal(touching.bound, 7);
	assert_int_equal(touching_bound_to[0], 1);
	for (unsigned int i = 1; i < 4; i++)
		assert_int_equal(touching_bound_to[i], 2);
	assert_int_equal(touching_resident(memory, TOUCHING_ROOM), TOUCHING_ROOM / page_size());
}

static void cpus__lists_of_sysfs(void **state)
{
	static const struct {
		const char *text;
		int count;
		unsigned int last;
	} lists[] = {
		{ "0\n", 1, 0 },     { "0-3\n", 4, 3 },		{ "0-1,4\n", 3, 4 },
		{ "7,9-10", 3, 10 }, { "0-99999", 1024, 1023 },
	};
	cpu_set_t set;
	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		pinreg_sysfs_list(lists[i].text, &set);
		assert_int_equal(CPU_COUNT(&set), lists[i].count);
		assert_true(CPU_ISSET(lists[i].last, &set));
	}
	pinreg_sysfs_list("\n", &set);
	assert_int_equal(CPU_COUNT(&set), 0);
}

static void cpus__follow_the_affinity(void **state)
{
	(void)state;
	struct pinreg_cpus found;
	cpu_set_t one;
	CPU_ZERO(&one);
	CPU_SET((unsigned int)sched_getcpu(), &one);
	test_ok(sched_setaffinity(0, sizeof(one), &one));
	pinreg_real_cpus(&found);
	assert_int_equal(found.count, 1);
}

static void failure__ends_it_without_an_error(void **state)
{
	(void)state;
	struct pinreg_populate how = { .write = true, .progress = listen_to, .context = &told };
	static const int errors[] = { -EINVAL, -ENOMEM, -EFAULT, -EHWPOISON };
	touching.fail_at = 1;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		touching.populated = 0;
		touching.fail_error = errors[i];
		test_ok(touching_do(touching_cold(TOUCHING_ROOM), TOUCHING_ROOM, &how));
		assert_true(told.last < TOUCHING_ROOM);
		told.last = 0;
	}
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test_setup(progress__grows_and_ends_at_the_total, touching_set_up),
	cmocka_unit_test_setup(progress__is_told_now_and_then, touching_set_up),
	cmocka_unit_test_setup(progress__of_touched_memory_is_none, touching_set_up),
	cmocka_unit_test_setup(cancel__on_the_way, touching_set_up),
	cmocka_unit_test_setup(cancel__at_the_end, touching_set_up),
	cmocka_unit_test_setup(threads__one, touching_set_up),
	cmocka_unit_test_setup(threads__two, touching_set_up),
	cmocka_unit_test_setup(threads__eight, touching_set_up),
	cmocka_unit_test_setup(threads__no_more_than_cpus, touching_set_up),
	cmocka_unit_test_setup(threads__none_for_one_cpu, touching_set_up),
	cmocka_unit_test_setup(threads__none_for_little, touching_set_up),
	cmocka_unit_test_setup(threads__each_has_some_mebibytes, touching_set_up),
	cmocka_unit_test_setup(nodes__get_threads_in_turn, touching_set_up),
	cmocka_unit_test_setup(cpus__lists_of_sysfs, touching_set_up),
	cmocka_unit_test_setup(cpus__follow_the_affinity, touching_set_up),
	cmocka_unit_test_setup(failure__ends_it_without_an_error, touching_set_up),
};

TEST_MAIN(cases)
