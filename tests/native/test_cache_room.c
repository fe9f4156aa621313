/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_room.c -- room for a region that others make just now, and room that a larger one
 * does not get.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>

#include "support/cached.h"
#include "support/test.h"

#define PAGE CACHED_PAGE

static unsigned char *memory;

/* The domain may pin so many pages. */
static void open_cache(uint64_t pages, uint64_t max_pinned)
{
	struct pinreg_domain_opts domain = {
		.size = sizeof(domain),
		.pin_budget = pages * PAGE,
		.odp_trust = PINREG_TRUST_NONE,
	};
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_UFFD,
		.max_pinned = max_pinned,
		.no_merge = 1,
	};
	tagged_set_up();
	cached_domain = tagged_domain(&domain);
	cached_open(&opts);
}

static void nap(long us)
{
	const struct timespec time = { .tv_nsec = us * 1000 };
	nanosleep(&time, NULL);
}

static _Atomic(bool) shut, inside;

static int wait_inside(struct tagged_mr *mr)
{
	(void)mr;
	inside = true;
	while (shut)
		sched_yield();
	return 0;
}

static void *open_soon(void *unused)
{
	nap(30000);
	shut = false;
	return unused;
}

/* The monitor's helper deregisters what was unmapped, and has not done so yet. */
static void room__is_being_made(void **state)
{
	(void)state;
	pthread_t thread;
	open_cache(8, 0);
	memory = cached_pages(8);
	unsigned char *other = cached_pages(8);
	tagged_device.deregisters = wait_inside;
	cached_put(cached_get(memory, 8 * PAGE, 0, NULL));
	shut = true;
	test_ok(munmap(memory, 8 * PAGE));
	while (!inside)
		sched_yield();
	test_ok(-pthread_create(&thread, NULL, open_soon, NULL));
	cached_put(cached_get(other, 8 * PAGE, 0, NULL));
	pthread_join(thread, NULL);
	cached_expect_live(1);
	cached_close();
}

static int take_time(struct tagged_mr *mr)
{
	(void)mr;
	nap(200);
	return 0;
}

/* One buffer at a time, which is all there is room for. */
static uint64_t map_get_put_unmap(unsigned int times)
{
	for (unsigned int i = 0; i < times; i++) {
		unsigned char *buffer = cached_pages(8);
		cached_put(cached_get(buffer, 8 * PAGE, 0, NULL));
		test_ok(munmap(buffer, 8 * PAGE));
	}
	uint64_t unkept = cached_info().unkept;
	cached_expect_live(0);
	cached_close();
	return unkept;
}

static void room__in_the_budget_after_unmapping(void **state)
{
	(void)state;
	open_cache(8, 0);
	map_get_put_unmap(1000);
}

static void room__in_the_budget_of_a_slow_device(void **state)
{
	(void)state;
	open_cache(8, 0);
	tagged_device.deregisters = take_time;
	map_get_put_unmap(100);
}

static void room__in_the_limits_after_unmapping(void **state)
{
	(void)state;
	open_cache(64, 8 * PAGE);
	assert_int_equal(map_get_put_unmap(1000), 0);
}

/* What fits as it is asked for costs nobody anything. */
static void larger__does_not_fit(void **state)
{
	(void)state;
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_MANUAL,
		.max_bytes = 16 * PAGE,
	};
	memory = cached_pages(64);
	cached_open(&opts);
	/* in use: 8 pages; idle: others far away, 4 pages; 4 left */
	struct pinreg_region *held = cached_get(memory, 8 * PAGE, 0, NULL);
	for (unsigned int i = 0; i < 4; i++)
		cached_put(cached_get(memory + (20 + 2 * i) * PAGE, PAGE, 0, NULL));
	assert_int_equal(cached_info().regions, 5);
	uint64_t made = tagged_device.made;
	cached_put(cached_get(memory + 7 * PAGE, 2 * PAGE, 0, NULL));
	uint64_t evicted = cached_info().evictions, registered = tagged_device.made - made;
	cached_put(held);
	cached_close();
	assert_int_equal(evicted, 0);
	assert_int_equal(registered, 1);
}

static unsigned int failures;

static int fail_some(struct tagged_mr *mr)
{
	(void)mr;
	return failures && failures-- ? -EBUSY : 0;
}

/* It is not to be kept, and not to be lost. */
static void larger__cannot_be_ended(void **state)
{
	(void)state;
	cached_open_as(PINREG_MONITOR_UFFD);
	memory = cached_pages(8);
	tagged_device.deregisters = fail_some;
	struct pinreg_region *one = cached_get(memory, 2 * PAGE, 0, NULL);
	test_ok(madvise(memory + 2 * PAGE, 2 * PAGE, MADV_DONTNEED));
	tagged_fill(memory + 2 * PAGE, 2 * PAGE);
	assert_int_equal(cached_info().regions, 1);
	failures = 1;
	struct pinreg_region *other = cached_get(memory + 2 * PAGE, 2 * PAGE, 0, NULL);
	assert_int_equal(failures, 0);
	assert_int_equal(cached_info().in_use, 2);
	cached_put(other);
	cached_put(one);
	cached_expect_live(1);
	cached_close();
}

static _Atomic(int) stage;

static int hold_small(void *addr, size_t length, unsigned int access)
{
	(void)access;
	if (addr == memory && length == PAGE && stage == 1) {
		stage = 2;
		while (stage != 3)
			sched_yield();
	}
	return 0;
}

static void *get_small(void *unused)
{
	cached_put(cached_get(memory, PAGE, 0, NULL));
	stage = 4;
	return unused;
}

static int let_small_go(struct tagged_mr *mr)
{
	(void)mr;
	if (stage == 2) {
		stage = 3;
		while (stage != 4)
			sched_yield();
	}
	return 0;
}

/* While room is made for the one in which it lies. */
static void smaller__comes_while_room_is_made(void **state)
{
	(void)state;
	pthread_t thread;
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_MANUAL,
		.max_regions = 2,
	};
	memory = cached_pages(16);
	cached_open(&opts);
	tagged_device.registers = hold_small;
	tagged_device.deregisters = let_small_go;
	cached_put(cached_get(memory + 10 * PAGE, PAGE, 0, NULL));
	stage = 1;
	test_ok(-pthread_create(&thread, NULL, get_small, NULL));
	while (stage != 2)
		sched_yield();
	cached_put(cached_get(memory, 4 * PAGE, 0, NULL));
	pthread_join(thread, NULL);
	uint64_t regions = cached_info().regions;
	cached_close();
	assert_int_equal(regions, 1);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(room__is_being_made),
	cmocka_unit_test(room__in_the_budget_after_unmapping),
	cmocka_unit_test(room__in_the_budget_of_a_slow_device),
	cmocka_unit_test(room__in_the_limits_after_unmapping),
	cmocka_unit_test(larger__does_not_fit),
	cmocka_unit_test(larger__cannot_be_ended),
	cmocka_unit_test(smaller__comes_while_room_is_made),
};

TEST_MAIN(cases)
