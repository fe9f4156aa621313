/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_threads.c -- threads that map, get regions, unmap and map again at the same
 * addresses, with each monitor: no region leads to what was there before.
 *
 * PINREG_TORTURE_SECONDS and PINREG_TEST_SEED of the environment are for longer runs, and
 * for one that failed.
 */
#include <stdio.h>

#include "support/chance.h"
#include "support/tagged_device.h"
#include "support/test.h"
#include "support/torture.h"

#define THREADS 4u
#define SECONDS 2u

static void fill(void *addr, size_t length, uint64_t number)
{
	(void)number;
	tagged_fill(addr, length);
}

static bool leads(void *mover, const struct pinreg_keys *keys, void *addr, size_t length,
		  unsigned int access, const char **wrong)
{
	(void)mover;
	return tagged_leads(keys, addr, length, access, wrong);
}

static bool alive(void *mover, const struct pinreg_keys *keys, unsigned int access)
{
	(void)mover;
	(void)access;
	return tagged_find(keys);
}

/* A merge with memory that its owner has not filled yet would have no tag to go by. */
static void prepare(void)
{
	tagged_set_up();
	tagged_device.filled_only = true;
}

static struct pinreg_cache_info run(const struct pinreg_cache_opts *opts, bool empties)
{
	struct pinreg_domain *domain = tagged_domain(NULL);
	struct pinreg_cache_info info = { .size = sizeof(info) };
	struct pinreg_why why;
	struct torture torture = {
		.threads = THREADS,
		.seconds = (unsigned int)chance_setting("PINREG_TORTURE_SECONDS", SECONDS),
		.seed = chance_new_seed(),
		.strict = opts->strict,
		.manual = opts->monitor == PINREG_MONITOR_MANUAL,
		.empties = empties,
		.fill = fill,
		.leads = leads,
		.alive = alive,
	};
	int status = pinreg_cache_open(domain, opts, &why, &torture.cache);
	if (status == -EOPNOTSUPP)
		test_skip("no userfaultfd: %s, errno %d", why.step, why.os_error);
	test_ok(status);
	torture_run(&torture);
	test_ok(pinreg_cache_query(torture.cache, &info));
	printf("%lu maps, %lu gets, %lu torn: %lu hits, %lu misses, %lu merges, "
	       "%lu evictions, %lu invalidations\n",
	       (unsigned long)torture.maps, (unsigned long)torture.gets,
	       (unsigned long)torture.torn, (unsigned long)info.hits, (unsigned long)info.misses,
	       (unsigned long)info.merges, (unsigned long)info.evictions,
	       (unsigned long)info.invalidations);
	if (torture.failed)
		fail_msg("%s", torture.failure);
	assert_int_equal(info.in_use, 0);
	assert_int_equal(info.hits + info.misses, torture.gets);
	test_ok(pinreg_cache_close(torture.cache));
	tagged_domain_close(domain);
	return info;
}

static void uffd__never_stale(void **state)
{
	(void)state;
	struct pinreg_cache_opts opts = { .size = sizeof(opts), .monitor = PINREG_MONITOR_UFFD };
	prepare();
	assert_true(run(&opts, false).hits > 0);
}

/* The kernel itself hands addresses on, while the one before is still in munmap(). */
static void strict__never_stale(void **state)
{
	(void)state;
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_UFFD,
		.strict = 1,
	};
	prepare();
	assert_true(run(&opts, false).hits > 0);
}

static void strict__never_stale_without_merges(void **state)
{
	(void)state;
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_UFFD,
		.strict = 1,
		.no_merge = 1,
	};
	prepare();
	assert_true(run(&opts, false).hits > 0);
}

/* Few regions: slots and keys are used again all the time. */
static void uffd__never_stale_within_limits(void **state)
{
	(void)state;
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_UFFD,
		.max_regions = 16, /* fewer than are held at times */
		.max_merge = 8 * TAGGED_PAGE,
	};
	prepare();
	struct pinreg_cache_info info = run(&opts, false);
	assert_true(info.hits > 0);
	assert_true(info.evictions > 0);
}

static void uffd__never_stale_when_emptied(void **state)
{
	(void)state;
	struct pinreg_cache_opts opts = { .size = sizeof(opts), .monitor = PINREG_MONITOR_UFFD };
	prepare();
	run(&opts, true);
}

static void manual__never_stale(void **state)
{
	(void)state;
	struct pinreg_cache_opts opts = { .size = sizeof(opts), .monitor = PINREG_MONITOR_MANUAL };
	prepare();
	assert_true(run(&opts, false).hits > 0);
}

static void odp__never_gone_while_held(void **state)
{
	(void)state;
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_ODP,
		.method = PINREG_METHOD_ODP,
	};
	prepare();
	assert_true(run(&opts, false).hits > 0);
}

/* Nobody watches: nothing is kept but by those who hold it. */
static void none__never_stale(void **state)
{
	(void)state;
	struct pinreg_cache_opts opts = { .size = sizeof(opts), .monitor = PINREG_MONITOR_ODP };
	prepare();
	assert_int_equal(run(&opts, true).hits, 0);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(uffd__never_stale),
	cmocka_unit_test(strict__never_stale),
	cmocka_unit_test(strict__never_stale_without_merges),
	cmocka_unit_test(uffd__never_stale_within_limits),
	cmocka_unit_test(uffd__never_stale_when_emptied),
	cmocka_unit_test(manual__never_stale),
	cmocka_unit_test(odp__never_gone_while_held),
	cmocka_unit_test(none__never_stale),
};

TEST_MAIN(cases)
