/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_end.c -- regions that are put and caches that are closed, also where the
 * device does not want it, on another thread, and in a child.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/cached.h"
#include "support/host.h"
#include "support/test.h"

#define PAGE CACHED_PAGE

static void close__while_in_use(void **state)
{
	(void)state;
	unsigned char *memory = cached_pages(1);
	cached_open_as(PINREG_MONITOR_MANUAL);
	struct pinreg_region *region = cached_get(memory, PAGE, 0, NULL);
	assert_int_equal(pinreg_domain_close(cached_domain), -EBUSY);
	assert_int_equal(pinreg_cache_close(cached_cache), -EBUSY);
	assert_true(cached_hit(memory, PAGE, 0)); /* it is as it was */
	cached_put(region);
	assert_int_equal(pinreg_domain_close(cached_domain), -EBUSY);
	cached_close();
}

static int busy_times;

static int is_busy(struct tagged_mr *mr)
{
	(void)mr;
	return busy_times && busy_times-- ? -EBUSY : 0;
}

static void close__deregistering_fails(void **state)
{
	(void)state;
	unsigned char *memory = cached_pages(2);
	cached_open_as(PINREG_MONITOR_MANUAL);
	tagged_device.deregisters = is_busy;
	cached_put(cached_get(memory, 1, 0, NULL));
	cached_put(cached_get(memory + PAGE, 1, 0, NULL));
	busy_times = 1;
	assert_int_equal(pinreg_cache_close(cached_cache), -EBUSY);
	assert_int_equal(cached_info().regions, 1);
	assert_int_equal(tagged_device.live, 1);
	cached_close();
}

static void invalidate__deregistering_fails(void **state)
{
	(void)state;
	unsigned char *memory = cached_pages(2);
	cached_open_as(PINREG_MONITOR_MANUAL);
	tagged_device.deregisters = is_busy;
	cached_put(cached_get(memory, PAGE, 0, NULL));
	busy_times = 1;
	assert_int_equal(pinreg_cache_invalidate(cached_cache, memory, 1), -EBUSY);
	assert_int_equal(tagged_device.live, 1);
	assert_false(cached_hit(memory, PAGE, 0)); /* it is given to nobody, and goes by then */
	test_ok(pinreg_cache_invalidate(cached_cache, NULL, 0));
	assert_int_equal(tagged_device.live, 0);
	assert_int_equal(cached_info().invalidations, 2);
	cached_close();
}

static void put__deregistering_fails(void **state)
{
	(void)state;
	unsigned char *memory = cached_pages(1);
	cached_open_as(PINREG_MONITOR_ODP);
	tagged_device.deregisters = is_busy;
	struct pinreg_region *region = cached_get(memory, PAGE, 0, NULL);
	busy_times = 1;
	assert_int_equal(pinreg_cache_put(cached_cache, region), -EBUSY);
	assert_int_equal(cached_info().in_use, 1);
	cached_put(region);
	assert_int_equal(tagged_device.live, 0);
	cached_close();
}

static void *put_it(void *region)
{
	cached_put(region);
	return NULL;
}

static void put__on_another_thread(void **state)
{
	(void)state;
	pthread_t thread;
	unsigned char *memory = cached_pages(1);
	cached_open_as(PINREG_MONITOR_MANUAL);
	for (int i = 0; i < 3; i++) {
		struct pinreg_region *region = cached_get(memory, PAGE, 0, NULL);
		test_ok(-pthread_create(&thread, NULL, put_it, region));
		pthread_join(thread, NULL);
		assert_int_equal(cached_info().in_use, 0);
	}
	test_ok(pinreg_cache_invalidate(cached_cache, memory, PAGE));
	assert_int_equal(tagged_device.live, 0);
	cached_close();
}

static void fork__the_cache_stays_the_parents(void **state)
{
	(void)state;
	unsigned char *memory = cached_pages(2);
	struct pinreg_cache_info info = { .size = sizeof(info) };
	struct pinreg_region *other = NULL;
	struct pinreg_why why;
	cached_open(NULL);
	struct pinreg_region *region = cached_get(memory, PAGE, 0, NULL);
	pid_t child = host_fork();
	if (!child) {
		assert_int_equal(
			pinreg_cache_get(cached_cache, memory, PAGE, 0, NULL, &why, &other),
			-EPERM);
		assert_int_equal(why.reason, PINREG_REASON_FORKED);
		assert_int_equal(pinreg_cache_put(cached_cache, region), -EPERM);
		assert_int_equal(pinreg_cache_invalidate(cached_cache, memory, PAGE), -EPERM);
		assert_int_equal(pinreg_cache_query(cached_cache, &info), -EPERM);
		assert_int_equal(pinreg_cache_close(cached_cache), -EPERM);
		assert_int_equal(munmap(memory, 2 * PAGE), 0); /* nobody waits for a message */
		_exit(0);
	}
	assert_int_equal(host_wait(child), 0);
	assert_true(cached_hit(memory, PAGE, 0)); /* what the child does to its memory is its own */
	cached_put(region);
	assert_int_equal(cached_info().invalidations, 0);
	cached_close();
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(close__while_in_use),
	cmocka_unit_test(close__deregistering_fails),
	cmocka_unit_test(invalidate__deregistering_fails),
	cmocka_unit_test(put__deregistering_fails),
	cmocka_unit_test(put__on_another_thread),
	cmocka_unit_test(fork__the_cache_stays_the_parents),
};

TEST_MAIN(cases)
