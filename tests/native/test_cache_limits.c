/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_limits.c -- how much a cache keeps, and what has to go first.
 */
#include <pthread.h>

#include "support/cached.h"
#include "support/test.h"

#define PAGE CACHED_PAGE

static unsigned char *memory; /* of 64 pages */

static void open_within(uint64_t regions, uint64_t bytes, uint64_t pinned)
{
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_MANUAL,
		.no_merge = 1,
		.max_regions = regions,
		.max_bytes = bytes,
		.max_pinned = pinned,
	};
	memory = cached_pages(64);
	cached_open(&opts);
}

static struct pinreg_region *get_page(unsigned int number)
{
	return cached_get(memory + number * PAGE, PAGE, 0, NULL);
}

static void use_page(unsigned int number)
{
	cached_put(get_page(number));
}

static bool page_is_there(unsigned int number)
{
	return cached_hit(memory + number * PAGE, PAGE, 0);
}

static void limit__regions(void **state)
{
	(void)state;
	open_within(3, 0, 0);
	for (unsigned int i = 0; i < 3; i++)
		use_page(i);
	assert_int_equal(cached_info().regions, 3);
	assert_int_equal(cached_info().evictions, 0);
	use_page(3);
	assert_int_equal(cached_info().regions, 3);
	assert_int_equal(cached_info().evictions, 1);
	assert_int_equal(tagged_device.live, 3);
	cached_close();
}

static void limit__bytes(void **state)
{
	(void)state;
	open_within(0, 3 * PAGE, 0);
	use_page(0);
	cached_put(cached_get(memory + PAGE, 2 * PAGE, 0, NULL));
	assert_int_equal(cached_info().bytes, 3 * PAGE);
	assert_int_equal(cached_info().evictions, 0);
	cached_put(cached_get(memory + 8 * PAGE, 1, 0, NULL));
	assert_int_equal(cached_info().evictions, 1); /* the first of them is enough */
	assert_int_equal(cached_info().bytes, 2 * PAGE + 1);
	cached_put(cached_get(memory + 9 * PAGE, PAGE - 1, 0, NULL));
	assert_int_equal(cached_info().evictions, 1);
	cached_put(cached_get(memory + 10 * PAGE, 3 * PAGE, 0, NULL));
	assert_int_equal(cached_info().evictions, 4);
	cached_close();
}

/* A byte pins a page. */
static void limit__pinned(void **state)
{
	(void)state;
	open_within(0, 0, 3 * PAGE);
	cached_put(cached_get(memory + 1, 1, 0, NULL));
	cached_put(cached_get(memory + 2 * PAGE - 1, 2, 0, NULL)); /* of two pages */
	assert_int_equal(cached_info().pinned, 3 * PAGE);
	assert_int_equal(cached_info().bytes, 3);
	assert_int_equal(cached_info().evictions, 0);
	cached_put(cached_get(memory + 8 * PAGE, 1, 0, NULL));
	assert_int_equal(cached_info().evictions, 1);
	assert_int_equal(cached_info().pinned, 3 * PAGE);
	cached_close();
}

static void limit__larger_than_it(void **state)
{
	(void)state;
	open_within(0, 3 * PAGE, 0);
	use_page(0);
	struct pinreg_region *region = cached_get(memory + 4 * PAGE, 3 * PAGE + 1, 0, NULL);
	/* nothing goes for what cannot be kept anyway */
	assert_int_equal(cached_info().evictions, 0);
	assert_int_equal(cached_info().unkept, 1);
	assert_int_equal(cached_info().regions, 1);
	assert_int_equal(cached_info().in_use, 1);
	cached_put(region);
	cached_expect_live(1);
	assert_true(page_is_there(0));
	cached_close();
}

static void eviction__what_was_used_longest_ago(void **state)
{
	(void)state;
	open_within(4, 0, 0);
	for (unsigned int i = 0; i < 4; i++)
		use_page(i);
	/* the time of the cache goes on with each miss; 0 is used after 1 and 2 */
	assert_true(page_is_there(0));
	use_page(4); /* 1 goes */
	assert_true(page_is_there(2));
	use_page(5); /* 3 or 0 goes, which were last used between the same misses */
	use_page(6); /* and then the other */
	assert_true(page_is_there(2));
	assert_true(page_is_there(4));
	assert_true(page_is_there(5));
	assert_true(page_is_there(6));
	assert_int_equal(cached_info().evictions, 3);
	assert_false(page_is_there(1));
	cached_close();
}

static void *put_it(void *region)
{
	cached_put(region);
	return NULL;
}

/* A thread that has never called the cache before uses a region as any other does. */
static void eviction__after_a_put_on_another_thread(void **state)
{
	(void)state;
	pthread_t thread;
	open_within(3, 0, 0);
	struct pinreg_region *held = get_page(0);
	for (unsigned int i = 1; i < 8; i++)
		use_page(i);
	test_ok(-pthread_create(&thread, NULL, put_it, held));
	pthread_join(thread, NULL);
	use_page(8); /* 6 and 7 were used before */
	assert_true(page_is_there(0));
	cached_close();
}

static void eviction__never_of_one_in_use(void **state)
{
	(void)state;
	struct pinreg_region *held[3];
	open_within(4, 0, 0);
	for (unsigned int i = 0; i < 3; i++)
		held[i] = get_page(i);
	for (unsigned int i = 3; i < 20; i++)
		use_page(i);
	assert_int_equal(cached_info().evictions, 16);
	for (unsigned int i = 0; i < 3; i++) {
		assert_true(page_is_there(i));
		cached_put(held[i]);
	}
	cached_close();
}

static void eviction__all_in_use(void **state)
{
	(void)state;
	struct pinreg_region *held[4], *more;
	open_within(4, 0, 0);
	for (unsigned int i = 0; i < 4; i++)
		held[i] = get_page(i);
	more = get_page(4);
	assert_int_equal(cached_info().unkept, 1);
	assert_int_equal(cached_info().in_use, 5);
	assert_false(page_is_there(4)); /* it is nobody else's */
	cached_put(more);
	cached_expect_live(4);
	assert_int_equal(cached_info().evictions, 0);
	for (unsigned int i = 0; i < 4; i++)
		cached_put(held[i]);
	use_page(4);
	assert_true(page_is_there(4));
	cached_close();
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(limit__regions),
	cmocka_unit_test(limit__bytes),
	cmocka_unit_test(limit__pinned),
	cmocka_unit_test(limit__larger_than_it),
	cmocka_unit_test(eviction__what_was_used_longest_ago),
	cmocka_unit_test(eviction__after_a_put_on_another_thread),
	cmocka_unit_test(eviction__never_of_one_in_use),
	cmocka_unit_test(eviction__all_in_use),
};

TEST_MAIN(cases)
