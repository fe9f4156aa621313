/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_moments.c -- threads at just the wrong moment: between an unmapping and its
 * message, and while a region is being registered.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>

#include "support/arena.h"
#include "support/cached.h"
#include "support/test.h"

#define PAGE CACHED_PAGE
#define LENGTH (4 * PAGE)
#define THREADS 8u

static unsigned char *memory;

/* ---- the monitor's thread does not run before it is let ---- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool shut;
} gate = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false };

static void set_gate(bool shut)
{
	pthread_mutex_lock(&gate.lock);
	gate.shut = shut;
	pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
}

static int wait_at_gate(int fd, int event, bool *message, bool *raised)
{
	int status = pinreg_sys_real.unmaps_wait(fd, event, message, raised);
	pthread_mutex_lock(&gate.lock);
	while (gate.shut)
		pthread_cond_wait(&gate.changed, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
	return status;
}

/* Who knows that something is under way waits for the monitor; let it go on then. */
static int ask_and_open(int fd)
{
	int pending = pinreg_sys_real.unmaps_pending(fd);
	if (pending)
		set_gate(false);
	return pending;
}

static void *unmap_it(void *unused)
{
	test_ok(munmap(memory, LENGTH));
	return unused;
}

/* A thread is inside of munmap(), and this one has been given its addresses by the kernel. */
static void take_addresses(pthread_t *thread, unsigned int strict)
{
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_UFFD,
		.strict = strict,
	};
	tagged_set_up();
	tagged_sys.unmaps_wait = wait_at_gate;
	memory = cached_pages(LENGTH / PAGE);
	cached_open(&opts);
	assert_false(cached_hit(memory, LENGTH, 0));
	assert_true(cached_hit(memory, LENGTH, 0));
	tagged_sys.unmaps_pending = ask_and_open;
	set_gate(true);
	test_ok(-pthread_create(thread, NULL, unmap_it, NULL));
	while (!arena_try(memory, LENGTH))
		sched_yield();
	tagged_fill(memory, LENGTH);
}

static void strict__closes_the_gap(void **state)
{
	(void)state;
	pthread_t thread;
	take_addresses(&thread, 1);
	assert_false(cached_hit(memory, LENGTH, 0));
	pthread_join(thread, NULL);
	assert_true(cached_info().invalidations > 0);
	/* where the message took too long to wait for, what was made meanwhile went with it */
	cached_hit(memory, LENGTH, 0);
	assert_true(cached_hit(memory, LENGTH, 0));
	cached_close();
}

/* That it is there, else the case above would show nothing. */
static void gap__without_strict(void **state)
{
	(void)state;
	pthread_t thread;
	const char *wrong = NULL;
	struct pinreg_region *region = NULL;
	struct pinreg_keys keys = { .size = sizeof(keys) };
	take_addresses(&thread, 0);
	test_ok(pinreg_cache_get(cached_cache, memory, LENGTH, 0, &keys, NULL, &region));
	assert_false(tagged_leads(&keys, memory, LENGTH, CACHED_ALL, &wrong));
	set_gate(false);
	pthread_join(thread, NULL);
	/* who hears of the end of munmap() finds no old region */
	assert_false(cached_hit(memory, LENGTH, 0));
	cached_put(region);
	assert_true(cached_hit(memory, LENGTH, 0));
	cached_close();
}

/* ---- while a region is being registered ---- */

static _Atomic(unsigned int) asking;

/* Not before all others have at least begun to ask. */
static int wait_for_all(void *addr, size_t length, unsigned int access)
{
	(void)addr;
	(void)length;
	(void)access;
	while (asking < THREADS)
		sched_yield();
	for (unsigned int i = 0; i < 100; i++)
		sched_yield();
	return 0;
}

static void *ask(void *out)
{
	struct pinreg_region **region = out;
	asking++;
	*region = cached_get(memory, LENGTH, 0, NULL);
	return NULL;
}

static void miss__of_the_same_range_by_many(void **state)
{
	(void)state;
	pthread_t threads[THREADS];
	struct pinreg_region *regions[THREADS];
	memory = cached_pages(LENGTH / PAGE);
	cached_open_as(PINREG_MONITOR_MANUAL);
	tagged_device.registers = wait_for_all;
	for (unsigned int i = 0; i < THREADS; i++)
		test_ok(-pthread_create(&threads[i], NULL, ask, &regions[i]));
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(tagged_device.made, 1);
	assert_int_equal(cached_info().misses, 1);
	assert_int_equal(cached_info().hits, THREADS - 1);
	for (unsigned int i = 0; i < THREADS; i++) {
		assert_ptr_equal(regions[i], regions[0]);
		cached_put(regions[i]);
	}
	cached_close();
}

/* The first fails; each of those who waited for it tries on his own then. */
static int fail_for_all(void *addr, size_t length, unsigned int access)
{
	wait_for_all(addr, length, access);
	return -EIO;
}

static void *ask_in_vain(void *unused)
{
	asking++;
	assert_int_equal(cached_refused(memory, LENGTH, 0, NULL), -EIO);
	return unused;
}

static void miss__that_fails_for_many(void **state)
{
	(void)state;
	pthread_t threads[THREADS];
	memory = cached_pages(LENGTH / PAGE);
	cached_open_as(PINREG_MONITOR_MANUAL);
	tagged_device.registers = fail_for_all;
	for (unsigned int i = 0; i < THREADS; i++)
		test_ok(-pthread_create(&threads[i], NULL, ask_in_vain, NULL));
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(cached_info().misses, THREADS);
	tagged_device.registers = NULL;
	assert_false(cached_hit(memory, LENGTH, 0));
	cached_close();
}

static pthread_t unmapper;

static void *map_other_pages(void *unused)
{
	arena_map(memory + PAGE, PAGE, PROT_READ | PROT_WRITE);
	tagged_fill(memory + PAGE, PAGE);
	return unused;
}

/* With the pages that were there; and then they go. */
static void change_it(struct tagged_mr *mr)
{
	(void)mr;
	tagged_device.registered = NULL;
	test_ok(-pthread_create(&unmapper, NULL, map_other_pages, NULL));
	pthread_join(unmapper, NULL);
}

static void miss__whose_memory_changes_meanwhile(void **state)
{
	(void)state;
	struct pinreg_region *region = NULL;
	memory = cached_pages(LENGTH / PAGE);
	cached_open_as(PINREG_MONITOR_UFFD);
	tagged_device.registered = change_it;
	test_ok(pinreg_cache_get(cached_cache, memory, LENGTH, 0, NULL, NULL, &region));
	/* nobody else is given that one */
	assert_false(cached_hit(memory, LENGTH, 0));
	cached_put(region);
	cached_expect_live(1);
	assert_true(cached_hit(memory, LENGTH, 0));
	cached_close();
}

static void invalidate_it(struct tagged_mr *mr)
{
	(void)mr;
	tagged_device.registered = NULL;
	test_ok(pinreg_cache_invalidate(cached_cache, memory + PAGE, 1));
}

static void miss__that_is_invalidated_meanwhile(void **state)
{
	(void)state;
	struct pinreg_region *region = NULL;
	memory = cached_pages(LENGTH / PAGE);
	cached_open_as(PINREG_MONITOR_MANUAL);
	tagged_device.registered = invalidate_it;
	test_ok(pinreg_cache_get(cached_cache, memory, LENGTH, 0, NULL, NULL, &region));
	assert_false(cached_hit(memory, LENGTH, 0));
	cached_put(region);
	cached_expect_live(1);
	cached_close();
}

/* ---- while one is deregistered ---- */

static _Atomic(bool) deregistering;

static int wait_for_gate(struct tagged_mr *mr)
{
	(void)mr;
	deregistering = true;
	pthread_mutex_lock(&gate.lock);
	while (gate.shut)
		pthread_cond_wait(&gate.changed, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
	return 0;
}

static void *open_soon(void *unused)
{
	const struct timespec soon = { .tv_nsec = 30 * 1000000 };
	nanosleep(&soon, NULL);
	set_gate(false);
	return unused;
}

/* The cache's own thread does so, and who invalidates has to be able to rely on it. */
static void invalidate__what_is_being_deregistered(void **state)
{
	(void)state;
	pthread_t thread;
	memory = cached_pages(LENGTH / PAGE);
	cached_open_as(PINREG_MONITOR_UFFD);
	tagged_device.deregisters = wait_for_gate;
	cached_put(cached_get(memory, LENGTH, 0, NULL));
	set_gate(true);
	test_ok(munmap(memory, LENGTH));
	while (!deregistering)
		sched_yield();
	test_ok(-pthread_create(&thread, NULL, open_soon, NULL));
	test_ok(pinreg_cache_invalidate(cached_cache, memory, LENGTH));
	assert_int_equal(tagged_device.live, 0);
	pthread_join(thread, NULL);
	cached_close();
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(strict__closes_the_gap),
	cmocka_unit_test(gap__without_strict),
	cmocka_unit_test(miss__of_the_same_range_by_many),
	cmocka_unit_test(miss__that_fails_for_many),
	cmocka_unit_test(miss__whose_memory_changes_meanwhile),
	cmocka_unit_test(miss__that_is_invalidated_meanwhile),
	cmocka_unit_test(invalidate__what_is_being_deregistered),
};

TEST_MAIN(cases)
