/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_lock.c -- under a cache's lock nothing is mapped, registered or deregistered:
 * all of that may wait for the monitor, and the monitor for the lock.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

#include "cache/cache.h"
#include "support/cached.h"
#include "support/test.h"

#define PAGE CACHED_PAGE
#define PAGES 64u

static unsigned char *memory;
static unsigned int maps, registers, deregisters;

/* Fails the case where this thread has the lock; another may have it. */
static void expect_free(void)
{
	struct pinreg_cache *cache = cached_cache;
	if (!cache)
		return;
	test_ok(-pthread_mutex_lock(&cache->lock));
	pthread_mutex_unlock(&cache->lock);
}

static int map(size_t length, void **out)
{
	expect_free();
	maps++;
	return pinreg_sys_real.map_anonymous(length, out);
}

static int (*tagged_register)(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
			      unsigned int access, struct ibv_mr **out);
static int (*tagged_deregister)(struct ibv_mr *mr);

static int make(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova, unsigned int access,
		struct ibv_mr **out)
{
	expect_free();
	registers++;
	return tagged_register(pd, addr, length, iova, access, out);
}

static int end(struct ibv_mr *mr)
{
	expect_free();
	deregisters++;
	return tagged_deregister(mr);
}

/* A lock that tells who takes it twice. */
static void check_the_lock(void)
{
	pthread_mutexattr_t attr;
	test_ok(-pthread_mutexattr_init(&attr));
	test_ok(-pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK));
	test_ok(-pthread_mutex_init(&cached_cache->lock, &attr));
	pthread_mutexattr_destroy(&attr);
}

static void *use_first_page(void *unused)
{
	cached_put(cached_get(memory, PAGE, 0, NULL));
	return unused;
}

static void lock__nothing_is_asked_of_the_system(void **state)
{
	(void)state;
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_MANUAL,
		.max_regions = 8,
		.no_merge = 1,
	};
	tagged_set_up();
	tagged_register = tagged_sys.mr_register;
	tagged_deregister = tagged_sys.mr_deregister;
	tagged_sys.mr_register = make;
	tagged_sys.mr_deregister = end;
	tagged_sys.map_anonymous = map;
	memory = cached_pages(PAGES);
	cached_open(&opts);
	check_the_lock();
	maps = 0;
	for (unsigned int i = 0; i < PAGES; i += 2)
		cached_put(cached_get(memory + i * PAGE, PAGE, 0, NULL));
	/* the row in which this thread counts */
	assert_int_equal(maps, 1);
	assert_int_equal(registers, PAGES / 2);
	assert_int_equal(deregisters, PAGES / 2 - 8);
	test_ok(pinreg_cache_invalidate(cached_cache, memory, PAGES * PAGE));
	assert_int_equal(deregisters, PAGES / 2);
	/* another thread has one of its own */
	pthread_t thread;
	test_ok(-pthread_create(&thread, NULL, use_first_page, NULL));
	pthread_join(thread, NULL);
	assert_int_equal(maps, 2);
	cached_close();
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(lock__nothing_is_asked_of_the_system),
};

TEST_MAIN(cases)
