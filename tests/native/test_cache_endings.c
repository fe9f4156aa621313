/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_endings.c -- regions that several threads deregister, or that nobody can be sure
 * of: none is lost, and nobody waits for what others begin.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "cache/cache.h"
#include "support/cached.h"
#include "support/test.h"

#define PAGE CACHED_PAGE

static unsigned char *memory;

static void nap(long us)
{
	const struct timespec time = { .tv_nsec = us * 1000 };
	nanosleep(&time, NULL);
}

static _Atomic(bool) no_barrier;

static int barrier_or_not(void)
{
	return no_barrier ? -ENOMEM : pinreg_sys_real.barrier();
}

/* Just when the last who has a region puts it, while another waits for a barrier. */
static void barrier__fails_for_a_while(void **state)
{
	(void)state;
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_MANUAL,
		.no_merge = 1,
	};
	tagged_set_up();
	tagged_sys.barrier = barrier_or_not;
	memory = cached_pages(8);
	cached_open(&opts);
	struct pinreg_region *held = cached_get(memory, PAGE, 0, NULL);
	cached_put(cached_get(memory + 2 * PAGE, PAGE, 0, NULL));
	/* with a barrier: it is found to be held, and leaves the list */
	test_ok(pinreg_cache_invalidate(cached_cache, memory, PAGE));
	no_barrier = true;
	test_ok(pinreg_cache_invalidate(cached_cache, memory + 2 * PAGE, PAGE));
	cached_put(held);
	no_barrier = false;
	test_ok(pinreg_cache_invalidate(cached_cache, NULL, 0));
	assert_int_equal(cached_info().regions, 0);
	cached_expect_live(0);
	cached_close();
}

static _Atomic(bool) stop;

static int take_time(struct tagged_mr *mr)
{
	(void)mr;
	nap(300);
	return 0;
}

static void *evict_all_the_time(void *first)
{
	unsigned char *start = first;
	for (unsigned int i = 0; !stop; i++)
		cached_put(cached_get(start + i % 8 * 2 * PAGE, PAGE, 0, NULL));
	return NULL;
}

static uint64_t count_begun(void)
{
	pthread_mutex_lock(&cached_cache->lock);
	uint64_t begun = cached_cache->begun;
	pthread_mutex_unlock(&cached_cache->lock);
	return begun;
}

/* They begin some while it waits for those before it, but not for ever. */
static void invalidate__while_others_evict(void **state)
{
	(void)state;
	pthread_t threads[4];
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_MANUAL,
		.max_regions = 6,
		.no_merge = 1,
	};
	memory = cached_pages(80);
	cached_open(&opts);
	tagged_device.deregisters = take_time;
	for (unsigned int i = 0; i < 4; i++)
		test_ok(-pthread_create(&threads[i], NULL, evict_all_the_time,
					memory + i * 16 * PAGE));
	while (count_begun() < 100)
		sched_yield();
	for (unsigned int i = 0; i < 20; i++) {
		uint64_t begun = count_begun();
		test_ok(pinreg_cache_invalidate(cached_cache, memory + 70 * PAGE, PAGE));
		assert_in_range(count_begun() - begun, 0, 1000);
	}
	stop = true;
	for (unsigned int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	cached_close();
}

static _Atomic(bool) shut;
static _Atomic(int) turn;

/* The first is the other's and takes long, the second ours; the third the other takes. */
static int third_fails(struct tagged_mr *mr)
{
	int mine = turn++;
	(void)mr;
	while (mine == 0 && shut)
		sched_yield();
	if (mine == 1) {
		shut = false;
		while (turn < 3)
			sched_yield();
	}
	if (mine == 2)
		nap(50000);
	return mine == 2 ? -EBUSY : 0;
}

static void *put_it(void *region)
{
	cached_put(region);
	return NULL;
}

static void invalidate__another_fails_for_it(void **state)
{
	(void)state;
	pthread_t thread;
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_MANUAL,
		.no_merge = 1,
	};
	memory = cached_pages(16);
	cached_open(&opts);
	struct pinreg_region *held = cached_get(memory, PAGE, 0, NULL);
	cached_put(cached_get(memory + 4 * PAGE, PAGE, 0, NULL));
	cached_put(cached_get(memory + 6 * PAGE, PAGE, 0, NULL));
	test_ok(pinreg_cache_invalidate(cached_cache, memory, PAGE));
	tagged_device.deregisters = third_fails;
	shut = true;
	test_ok(-pthread_create(&thread, NULL, put_it, held));
	while (!turn)
		sched_yield();
	int status = pinreg_cache_invalidate(cached_cache, memory + 4 * PAGE, 4 * PAGE);
	uint64_t live = tagged_device.live;
	pthread_join(thread, NULL);
	assert_true(status || !live);
	cached_close();
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(barrier__fails_for_a_while),
	cmocka_unit_test(invalidate__while_others_evict),
	cmocka_unit_test(invalidate__another_fails_for_it),
};

TEST_MAIN(cases)
