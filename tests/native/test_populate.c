/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_populate.c -- touching cold memory: what is touched, by how many, and
 * what is left alone. The system is the real one; a table in front of it counts.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "region/populate.h"
#include "support/runs.h"
#include "support/test.h"
#include "sys/cpus.h"
#include "sys/real.h"
#include "sys/sysfs.h"

#define MIB ((size_t)1 << 20)
#define ROOM (128 * MIB)

/* What the table in front sees, and what it makes of it. */
static struct {
	atomic_uint populated;
	atomic_uint looks;
	atomic_uint advised;
	atomic_uint signals_open; /* calls from another thread with a signal not blocked */
	atomic_uint foreign;	  /* calls from another thread than the caller */
	atomic_uint bound;	  /* threads told where to run */
	atomic_ulong bytes;
	atomic_ullong threads; /* one bit for each that touched, by its order */
	unsigned int cpus;
	unsigned int nodes;
	atomic_uint fail_at; /* the call that gives fail_error */
	int fail_error;
	bool slow; /* other threads than the caller wait until it was told something */
	atomic_bool told;
	pthread_t caller;
} seen;

static struct pinreg_sys table;
static struct pinreg_device device;

static _Thread_local unsigned int number; /* of a thread that touches, from 1 */
static atomic_uint numbers;

static int populate(void *addr, uint64_t length, bool write)
{
	sigset_t blocked;
	if (!number)
		number = atomic_fetch_add(&numbers, 1) + 1;
	atomic_fetch_or(&seen.threads, 1ull << (number - 1));
	if (!pthread_equal(pthread_self(), seen.caller)) {
		atomic_fetch_add(&seen.foreign, 1);
		for (int i = 0; seen.slow && i < 500 && !seen.told; i++)
			usleep(10000);
		if (seen.slow)
			usleep(100000);
		pthread_sigmask(SIG_SETMASK, NULL, &blocked);
		if (!sigismember(&blocked, SIGTERM) || !sigismember(&blocked, SIGRTMIN + 1))
			atomic_fetch_add(&seen.signals_open, 1);
	}
	if (atomic_fetch_add(&seen.populated, 1) + 1 == seen.fail_at)
		return seen.fail_error;
	atomic_fetch_add(&seen.bytes, length);
	return pinreg_real_populate(addr, length, write);
}

static void resident(void *const *pages, unsigned int count, bool *out)
{
	atomic_fetch_add(&seen.looks, 1);
	pinreg_real_resident(pages, count, out);
}

static int advise_huge(void *addr, uint64_t length)
{
	atomic_fetch_add(&seen.advised, 1);
	return pinreg_real_advise_huge(addr, length);
}

static void cpus(struct pinreg_cpus *out)
{
	pinreg_real_cpus(out);
	if (seen.cpus)
		out->count = seen.cpus;
	if (!seen.nodes)
		return;
	/* all nodes of as many CPUs, each known by its only CPU that exists: 0 */
	out->nodes = seen.nodes;
	for (unsigned int i = 0; i < seen.nodes; i++) {
		CPU_ZERO(&out->of_node[i]);
		for (unsigned int j = 0; j < seen.cpus / seen.nodes; j++)
			CPU_SET(i * 16 + j, &out->of_node[i]);
	}
}

static atomic_uint bound_to[16];

static int run_on(const cpu_set_t *set)
{
	for (unsigned int i = 0; i < 16; i++)
		if (CPU_ISSET(i * 16, set))
			atomic_fetch_add(&bound_to[i], 1);
	atomic_fetch_add(&seen.bound, 1);
	return -EINVAL; /* there are no such CPUs; the work is done all the same */
}

static unsigned int threads_seen(void)
{
	return (unsigned int)__builtin_popcountll(seen.threads);
}

static unsigned int threads_alive(void)
{
	unsigned int count = 0;
	DIR *tasks = opendir("/proc/self/task");
	assert_non_null(tasks);
	for (struct dirent *entry; (entry = readdir(tasks));)
		count += entry->d_name[0] != '.';
	closedir(tasks);
	return count;
}

static unsigned int threads_before;

/* A thread that was joined stays in the list for a moment. */
static void expect_no_thread_left(void)
{
	for (int i = 0; i < 500 && threads_alive() != threads_before; i++)
		usleep(10000);
	assert_int_equal(threads_alive(), threads_before);
}

static void *nothing(void *tid)
{
	*(pid_t *)tid = gettid();
	return NULL;
}

/* A sanitizer begins one of its own when the first is made. */
static void make_first_thread(void)
{
	pthread_t thread;
	pid_t tid;
	char path[64];
	test_ok(-pthread_create(&thread, NULL, nothing, &tid));
	test_ok(-pthread_join(thread, NULL));
	snprintf(path, sizeof(path), "/proc/self/task/%d", tid);
	for (int i = 0; i < 500 && !access(path, F_OK); i++)
		usleep(10000);
}

static int set_up(void **state)
{
	(void)state;
	table = pinreg_sys_real;
	table.populate = populate;
	table.resident = resident;
	table.advise_huge = advise_huge;
	table.cpus = cpus;
	table.run_on = run_on;
	device.sys = &table;
	device.huge_size = 0;
	seen.caller = pthread_self();
	make_first_thread();
	threads_before = threads_alive();
	return 0;
}

static unsigned char *cold(size_t length)
{
	unsigned char *memory =
		map_or_fail(length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	/* huge pages would come in where one byte was touched; those that want them ask */
	madvise(memory, length, MADV_NOHUGEPAGE);
	return memory;
}

/* Pages of the range that are in memory. */
static size_t resident_pages(void *addr, size_t length)
{
	unsigned char *start = (unsigned char *)((uintptr_t)addr & ~(page_size() - 1));
	size_t count =
		((uintptr_t)addr + length - (uintptr_t)start + page_size() - 1) / page_size();
	unsigned char *states = malloc(count);
	size_t there = 0;
	assert_non_null(states);
	test_ok(mincore(start, count * page_size(), states));
	for (size_t i = 0; i < count; i++)
		there += states[i] & 1;
	free(states);
	return there;
}

static int touch(void *addr, size_t length, const struct pinreg_populate *how)
{
	static const struct pinreg_populate usual = { .write = true };
	return pinreg_populate_range(&device, addr, length, how ? how : &usual);
}

static void cold__is_touched(void **state)
{
	(void)state;
	unsigned char *memory = cold(ROOM);
	assert_int_equal(resident_pages(memory, ROOM), 0);
	test_ok(touch(memory, ROOM, NULL));
	assert_int_equal(resident_pages(memory, ROOM), ROOM / page_size());
	assert_int_equal(seen.bytes, ROOM);
	assert_int_equal(memory[ROOM / 2], 0);
}

static void cold__data_in_it_stays(void **state)
{
	(void)state;
	unsigned char *memory = cold(ROOM);
	for (size_t i = 0; i < ROOM; i += 3 * MIB)
		memory[i] = (unsigned char)(i / MIB + 1);
	test_ok(touch(memory, ROOM, NULL));
	for (size_t i = 0; i < ROOM; i += 3 * MIB)
		assert_int_equal(memory[i], (unsigned char)(i / MIB + 1));
}

static void cold__odd_start_and_length(void **state)
{
	(void)state;
	unsigned char *memory = cold(ROOM);
	size_t before = 5 * page_size();
	test_ok(touch(memory + before + 123, 40 * MIB + 7, NULL));
	assert_int_equal(resident_pages(memory + before + 123, 40 * MIB + 7),
			 40 * MIB / page_size() + 1);
	assert_int_equal(resident_pages(memory, before), 0);
	assert_int_equal(resident_pages(memory + before + 40 * MIB + page_size(), 10 * MIB), 0);
}

static void cold__shared_memory(void **state)
{
	(void)state;
	int fd = memfd_create("test", MFD_CLOEXEC);
	test_ok(ftruncate(fd, ROOM));
	unsigned char *memory = map_or_fail(ROOM, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	test_ok(touch(memory, ROOM, NULL));
	assert_int_equal(resident_pages(memory, ROOM), ROOM / page_size());
}

static void cold__read_only_shared_memory(void **state)
{
	(void)state;
	struct pinreg_populate how = { .write = false };
	int fd = memfd_create("test", MFD_CLOEXEC);
	test_ok(ftruncate(fd, ROOM));
	test_ok(touch(map_or_fail(ROOM, PROT_READ, MAP_SHARED, fd), ROOM, &how));
	assert_int_equal(seen.bytes, ROOM);
}

static void cold__read_only_private_memory_is_left_alone(void **state)
{
	(void)state;
	struct pinreg_populate how = { .write = false, .huge = true };
	void *memory = map_or_fail(ROOM, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	test_ok(touch(memory, ROOM, &how));
	assert_int_equal(seen.populated, 0);
}

static void cold__small_is_not_even_looked_at(void **state)
{
	(void)state;
	unsigned char *memory = cold(ROOM);
	test_ok(touch(memory, PINREG_POPULATE_SMALLEST - 1, NULL));
	assert_int_equal(seen.looks, 0);
	assert_int_equal(seen.populated, 0);
	test_ok(touch(memory, PINREG_POPULATE_SMALLEST, NULL));
	assert_int_equal(seen.bytes, PINREG_POPULATE_SMALLEST);
}

static void cold__behind_a_touched_beginning(void **state)
{
	(void)state;
	unsigned char *memory = cold(ROOM);
	memset(memory, 1, ROOM / 4);
	test_ok(touch(memory, ROOM, NULL));
	assert_int_equal(resident_pages(memory, ROOM), ROOM / page_size());
	/* most of what is there already is not gone through again */
	assert_in_range(seen.bytes, ROOM * 3 / 4, ROOM * 3 / 4 + 8 * MIB);
}

static void touched__is_left_alone(void **state)
{
	(void)state;
	unsigned char *memory = cold(ROOM);
	memset(memory, 1, ROOM);
	test_ok(touch(memory, ROOM, NULL));
	assert_int_equal(seen.populated, 0);
	assert_int_equal(seen.advised, 0);
	assert_int_equal(seen.looks, 1);
}

static void touched__only_for_reading_is_cold(void **state)
{
	(void)state;
	unsigned char *memory = cold(ROOM);
	unsigned int sum = 0;
	for (size_t i = 0; i < ROOM; i += page_size())
		sum += ((volatile unsigned char *)memory)[i];
	assert_int_equal(sum, 0);
	test_ok(touch(memory, ROOM, NULL));
	assert_int_equal(seen.bytes, ROOM);
}

static void touched__by_another_mapping(void **state)
{
	(void)state;
	int fd = memfd_create("test", MFD_CLOEXEC);
	test_ok(ftruncate(fd, ROOM));
	memset(map_or_fail(ROOM, PROT_READ | PROT_WRITE, MAP_SHARED, fd), 1, ROOM);
	test_ok(touch(map_or_fail(ROOM, PROT_READ | PROT_WRITE, MAP_SHARED, fd), ROOM, NULL));
	assert_int_equal(seen.populated, 0);
}

static bool resident_one(void *page)
{
	bool out;
	pinreg_real_resident(&page, 1, &out);
	return out;
}

static void resident__of_each_kind(void **state)
{
	(void)state;
	unsigned char *memory = cold(16 * page_size());
	int fd = memfd_create("test", MFD_CLOEXEC);
	test_ok(ftruncate(fd, (off_t)(2 * page_size())));
	unsigned char *shared =
		map_or_fail(2 * page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	assert_false(resident_one(memory));
	(void)*(volatile unsigned char *)memory;
	memory[page_size()] = 1;
	assert_true(resident_one(memory + page_size() + 17));
	assert_false(resident_one(shared));
	test_ok(pwrite(fd, "x", 1, 0));
	assert_true(resident_one(shared));
	shared[page_size()] = 1;
	assert_true(resident_one(shared + page_size()));
	test_ok(munmap(memory, page_size()));
	assert_false(resident_one(memory));
}

static void huge__pages_are_given(void **state)
{
	(void)state;
	struct pinreg_populate how = { .write = true, .huge = true };
	device.huge_size = pinreg_real_huge_size(&device.huge_ask);
	if (!device.huge_size)
		test_skip("transparent huge pages are off");
	unsigned char *memory =
		map_or_fail(ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	test_ok(touch(memory + page_size(), ROOM - 2 * page_size(), &how));
	assert_int_equal(seen.advised, device.huge_ask);

	char line[256];
	unsigned long kib, sum = 0;
	FILE *rollup = fopen("/proc/self/smaps_rollup", "re");
	assert_non_null(rollup);
	while (fgets(line, sizeof(line), rollup))
		if (sscanf(line, "AnonHugePages: %lu kB", &kib) == 1)
			sum = kib;
	fclose(rollup);
	/* the ends cannot be, and some may not be had when memory is in pieces */
	assert_in_range(sum * 1024, ROOM / 2, ROOM);
	assert_int_equal(resident_pages(memory + page_size(), ROOM - 2 * page_size()),
			 ROOM / page_size() - 2);
}

static void huge__nobody_asks_for_touched_memory(void **state)
{
	(void)state;
	struct pinreg_populate how = { .write = true, .huge = true };
	unsigned char *memory = cold(ROOM);
	memset(memory, 1, ROOM);
	device.huge_size = pinreg_real_huge_size(&device.huge_ask);
	test_ok(touch(memory, ROOM, &how));
	assert_int_equal(seen.advised, 0);
}

/* What a progress function was told. */
static struct {
	unsigned int calls;
	unsigned int wrong;
	uint64_t last;
	uint64_t cancel_at; /* bytes; 0: never */
} told;

static int listen_to(void *context, uint64_t done, uint64_t total)
{
	told.wrong += context != &told || total != ROOM || done <= told.last || done > total;
	told.wrong += !pthread_equal(pthread_self(), seen.caller);
	told.last = done;
	told.calls++;
	seen.told = true;
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
	seen.cpus = 4;
	test_ok(touch(cold(ROOM), ROOM, &how));
	assert_int_equal(told.wrong, 0);
	assert_int_equal(told.last, ROOM);
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
	test_ok(touch(cold(ROOM), ROOM, &how));
	assert_int_equal(told.wrong, 0);
	assert_int_equal(told.calls, ROOM / (32 * MIB));
}

static void progress__of_touched_memory_is_none(void **state)
{
	(void)state;
	struct pinreg_populate how = { .write = true, .progress = listen_to, .context = &told };
	unsigned char *memory = cold(ROOM);
	memset(memory, 1, ROOM);
	test_ok(touch(memory, ROOM, &how));
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
	seen.cpus = 8;
	seen.slow = true;
	told.cancel_at = 1;
	assert_int_equal(touch(cold(ROOM), ROOM, &how), -ECANCELED);
	assert_int_equal(told.calls, 1);
	expect_no_thread_left();
	assert_true(seen.bytes < ROOM);
}

static void cancel__at_the_end(void **state)
{
	(void)state;
	struct pinreg_populate how = { .write = true, .progress = listen_to, .context = &told };
	told.cancel_at = ROOM;
	assert_int_equal(touch(cold(ROOM), ROOM, &how), -ECANCELED);
	assert_int_equal(told.last, ROOM);
}

/* So many threads on so many CPUs. */
static void count_threads(unsigned int threads, unsigned int on, unsigned int expected)
{
	struct pinreg_populate how = { .write = true, .threads = threads };
	unsigned char *memory = cold(ROOM);
	sigset_t before, after;
	memset(&before, 0, sizeof(before));
	memset(&after, 0, sizeof(after));
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	seen.cpus = on;
	test_ok(touch(memory, ROOM, &how));
	/* who comes late may find everything done */
	assert_in_range(threads_seen(), 1, expected);
	if (expected == 1)
		assert_int_equal(seen.foreign, 0);
	assert_int_equal(resident_pages(memory, ROOM), ROOM / page_size());
	assert_int_equal(seen.bytes, ROOM);
	assert_int_equal(seen.signals_open, 0);
	expect_no_thread_left();
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
	seen.cpus = 1000;
	unsigned char *memory = cold(ROOM);
	test_ok(touch(memory, 12 * MIB, NULL));
	assert_int_equal(threads_seen(), 1);
	assert_int_equal(seen.foreign, 0);
	assert_int_equal(seen.bytes, 12 * MIB);
}

static void threads__each_has_some_mebibytes(void **state)
{
	(void)state;
	seen.cpus = 1000;
	unsigned char *memory = cold(ROOM);
	test_ok(touch(memory, 28 * MIB, NULL));
	assert_in_range(threads_seen(), 1, 3);
	assert_int_equal(seen.bytes, 28 * MIB);
}

static void nodes__get_threads_in_turn(void **state)
{
	(void)state;
	seen.cpus = 8;
	seen.nodes = 4;
	unsigned char *memory = cold(ROOM);
	test_ok(touch(memory, ROOM, NULL));
	/* two on each, one of those on the first being the caller, who stays where he is */
	assert_int_equal(seen.bound, 7);
	assert_int_equal(bound_to[0], 1);
	for (unsigned int i = 1; i < 4; i++)
		assert_int_equal(bound_to[i], 2);
	assert_int_equal(resident_pages(memory, ROOM), ROOM / page_size());
}

static void hole__is_left_to_the_registration(void **state)
{
	(void)state;
	unsigned char *memory = cold(ROOM);
	test_ok(munmap(memory + 61 * MIB, page_size()));
	test_ok(touch(memory, ROOM, NULL));
	expect_no_thread_left();
}

static void hole__all_of_it(void **state)
{
	(void)state;
	unsigned char *memory = cold(ROOM);
	test_ok(munmap(memory, ROOM));
	test_ok(touch(memory, ROOM, NULL));
	expect_no_thread_left();
}

static void failure__ends_it_without_an_error(void **state)
{
	(void)state;
	struct pinreg_populate how = { .write = true, .progress = listen_to, .context = &told };
	static const int errors[] = { -EINVAL, -ENOMEM, -EFAULT, -EHWPOISON };
	seen.fail_at = 1;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		seen.populated = 0;
		seen.fail_error = errors[i];
		test_ok(touch(cold(ROOM), ROOM, &how));
		assert_true(told.last < ROOM);
		told.last = 0;
	}
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

static const struct CMUnitTest cases[] = {
	cmocka_unit_test_setup(cold__is_touched, set_up),
	cmocka_unit_test_setup(cold__data_in_it_stays, set_up),
	cmocka_unit_test_setup(cold__odd_start_and_length, set_up),
	cmocka_unit_test_setup(cold__shared_memory, set_up),
	cmocka_unit_test_setup(cold__read_only_shared_memory, set_up),
	cmocka_unit_test_setup(cold__read_only_private_memory_is_left_alone, set_up),
	cmocka_unit_test_setup(cold__small_is_not_even_looked_at, set_up),
	cmocka_unit_test_setup(cold__behind_a_touched_beginning, set_up),
	cmocka_unit_test_setup(touched__is_left_alone, set_up),
	cmocka_unit_test_setup(touched__only_for_reading_is_cold, set_up),
	cmocka_unit_test_setup(touched__by_another_mapping, set_up),
	cmocka_unit_test_setup(resident__of_each_kind, set_up),
	cmocka_unit_test_setup(huge__pages_are_given, set_up),
	cmocka_unit_test_setup(huge__nobody_asks_for_touched_memory, set_up),
	cmocka_unit_test_setup(progress__grows_and_ends_at_the_total, set_up),
	cmocka_unit_test_setup(progress__is_told_now_and_then, set_up),
	cmocka_unit_test_setup(progress__of_touched_memory_is_none, set_up),
	cmocka_unit_test_setup(cancel__on_the_way, set_up),
	cmocka_unit_test_setup(cancel__at_the_end, set_up),
	cmocka_unit_test_setup(threads__one, set_up),
	cmocka_unit_test_setup(threads__two, set_up),
	cmocka_unit_test_setup(threads__eight, set_up),
	cmocka_unit_test_setup(threads__no_more_than_cpus, set_up),
	cmocka_unit_test_setup(threads__none_for_one_cpu, set_up),
	cmocka_unit_test_setup(threads__none_for_little, set_up),
	cmocka_unit_test_setup(threads__each_has_some_mebibytes, set_up),
	cmocka_unit_test_setup(nodes__get_threads_in_turn, set_up),
	cmocka_unit_test_setup(hole__is_left_to_the_registration, set_up),
	cmocka_unit_test_setup(hole__all_of_it, set_up),
	cmocka_unit_test_setup(failure__ends_it_without_an_error, set_up),
	cmocka_unit_test_setup(cpus__lists_of_sysfs, set_up),
	cmocka_unit_test_setup(cpus__follow_the_affinity, set_up),
};

TEST_MAIN(cases)
