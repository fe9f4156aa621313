/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache.c -- what the functions of a cache give, and what is a hit.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/cached.h"
#include "support/host.h"
#include "support/test.h"

#define PAGE CACHED_PAGE
#define READ IBV_ACCESS_REMOTE_READ

/* ---- nonsense ---- */

static int open_status(const struct pinreg_cache_opts *opts)
{
	struct pinreg_cache *cache = NULL;
	struct pinreg_why why = { 0 };
	int status = pinreg_cache_open(cached_domain, opts, &why, &cache);
	if (status)
		assert_null(cache);
	else
		test_ok(pinreg_cache_close(cache));
	assert_int_equal(why.error, status);
	return status;
}

static void open__nonsense(void **state)
{
	(void)state;
#define SIZE .size = sizeof(struct pinreg_cache_opts)
#define MANUAL .monitor = PINREG_MONITOR_MANUAL
#define UFFD .monitor = PINREG_MONITOR_UFFD
	static const struct pinreg_cache_opts wrong[] = {
		{ .size = 3 },
		{ SIZE, .monitor = PINREG_MONITOR_MANUAL + 1 },
		{ SIZE, MANUAL, .strict = 1 },
		{ SIZE, MANUAL, .keep_files = 1 },
		{ SIZE, .monitor = PINREG_MONITOR_ODP, .strict = 1 },
		{ SIZE, UFFD, .strict = 2 },
		{ SIZE, UFFD, .keep_files = 2 },
		{ SIZE, MANUAL, .no_merge = 2 },
		{ SIZE, MANUAL, .access = IBV_ACCESS_ON_DEMAND },
		{ SIZE, MANUAL, .access = 1u << 31 },
		{ SIZE, MANUAL, .method = PINREG_METHOD_STAGED },
		{ SIZE, MANUAL, .method = PINREG_METHOD_DMABUF },
		{ SIZE, MANUAL, .granularity = PINREG_GRANULARITY_PAGE + 1 },
		{ SIZE, MANUAL, .allow_private_file = 2 },
		{ SIZE, MANUAL, .no_populate = 2 },
		{ SIZE, MANUAL, .max_regions = 1u << 24 },
	};
	struct pinreg_cache *cache = NULL;
	cached_domain = tagged_domain(NULL);
	assert_int_equal(pinreg_cache_open(NULL, NULL, NULL, &cache), -EINVAL);
	assert_int_equal(pinreg_cache_open(cached_domain, NULL, NULL, NULL), -EINVAL);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (open_status(&wrong[i]) != -EINVAL)
			fail_msg("options %zu are taken", i);
	tagged_domain_close(cached_domain);
}

/* Of a later version, with something in it that we do not know. */
static void open__unknown_tail(void **state)
{
	(void)state;
	struct {
		struct pinreg_cache_opts opts;
		uint64_t more;
	} later = { .opts = { .size = sizeof(later), .monitor = PINREG_MONITOR_MANUAL } };
	cached_domain = tagged_domain(NULL);
	test_ok(open_status(&later.opts));
	later.more = 1;
	assert_int_equal(open_status(&later.opts), -EINVAL);
	tagged_domain_close(cached_domain);
}

static void get__nonsense(void **state)
{
	(void)state;
	struct pinreg_keys keys = { .size = 3 };
	struct pinreg_region *region = NULL;
	unsigned char *memory = cached_pages(1);
	cached_open_as(PINREG_MONITOR_MANUAL);
	assert_int_equal(pinreg_cache_get(NULL, memory, 1, 0, NULL, NULL, &region), -EINVAL);
	assert_int_equal(pinreg_cache_get(cached_cache, memory, 1, 0, NULL, NULL, NULL), -EINVAL);
	assert_int_equal(pinreg_cache_get(cached_cache, memory, 1, 0, &keys, NULL, &region),
			 -EINVAL);
	assert_int_equal(cached_refused(NULL, 1, 0, NULL), -EINVAL);
	assert_int_equal(cached_refused(memory, 0, 0, NULL), -EINVAL);
	assert_int_equal(cached_refused(memory, SIZE_MAX, 0, NULL), -EINVAL);
	assert_int_equal(cached_refused(memory, 1, 1u << 31, NULL), -EINVAL);
	assert_int_equal(cached_refused(memory, 1, IBV_ACCESS_ON_DEMAND, NULL), -EINVAL);
	assert_int_equal(pinreg_cache_put(NULL, NULL), -EINVAL);
	test_ok(pinreg_cache_put(cached_cache, NULL));
	assert_int_equal(pinreg_cache_invalidate(NULL, memory, PAGE), -EINVAL);
	assert_int_equal(pinreg_cache_invalidate(cached_cache, memory, SIZE_MAX), -EINVAL);
	test_ok(pinreg_cache_close(NULL));
	assert_int_equal(tagged_device.made, 0);
	cached_close();
}

static void query__nonsense(void **state)
{
	(void)state;
	struct pinreg_cache_info info = { .size = sizeof(info) };
	cached_open_as(PINREG_MONITOR_MANUAL);
	assert_int_equal(pinreg_cache_query(NULL, &info), -EINVAL);
	assert_int_equal(pinreg_cache_query(cached_cache, NULL), -EINVAL);
	info.size = 3;
	assert_int_equal(pinreg_cache_query(cached_cache, &info), -EINVAL);
	assert_string_equal(pinreg_monitor_name(PINREG_MONITOR_AUTO), "auto");
	assert_string_equal(pinreg_monitor_name(PINREG_MONITOR_ODP), "odp");
	assert_string_equal(pinreg_monitor_name(PINREG_MONITOR_UFFD), "uffd");
	assert_string_equal(pinreg_monitor_name(PINREG_MONITOR_MANUAL), "manual");
	assert_string_equal(pinreg_monitor_name(PINREG_MONITOR_MANUAL + 1), "?");
	cached_close();
}

/* ---- hits and misses ---- */

static void get__of_what_is_there(void **state)
{
	(void)state;
	struct pinreg_keys whole, part;
	unsigned char *memory = cached_pages(4);
	cached_open_as(PINREG_MONITOR_MANUAL);
	struct pinreg_region *first = cached_get(memory + 100, 3 * PAGE, 0, &whole);
	struct pinreg_region *second = cached_get(memory + PAGE, 10, READ, &part);
	assert_ptr_equal(first, second);
	assert_memory_equal(&whole, &part, sizeof(whole));
	assert_int_equal(part.addr, (uintptr_t)memory + 100);
	assert_int_equal(part.length, 3 * PAGE);
	assert_int_equal(cached_info().hits, 1);
	assert_int_equal(cached_info().misses, 1);
	assert_int_equal(cached_info().in_use, 1);
	cached_put(first);
	assert_int_equal(cached_info().in_use, 1);
	cached_put(second);
	assert_int_equal(cached_info().in_use, 0);
	assert_true(cached_hit(memory + 100, 3 * PAGE, 0));
	/* a byte too much on either side */
	assert_false(cached_hit(memory + 99, 3 * PAGE, 0));
	cached_close();
}

static void get__rights_that_are_not_there(void **state)
{
	(void)state;
	unsigned char *memory = cached_pages(1);
	cached_open_as(PINREG_MONITOR_MANUAL);
	assert_false(cached_hit(memory, PAGE, READ));
	assert_true(cached_hit(memory, PAGE, READ));
	assert_false(cached_hit(memory, PAGE, IBV_ACCESS_LOCAL_WRITE));
	assert_false(cached_hit(memory, PAGE, 0));
	/* that one stands for both */
	cached_expect_live(1);
	assert_true(cached_hit(memory, PAGE, READ));
	assert_true(cached_hit(memory, PAGE, IBV_ACCESS_LOCAL_WRITE));
	cached_close();
}

static void get__why_is_for_failures(void **state)
{
	(void)state;
	struct pinreg_region *region = NULL;
	struct pinreg_why why, before;
	unsigned char *memory = cached_pages(1);
	cached_open_as(PINREG_MONITOR_MANUAL);
	cached_put(cached_get(memory, PAGE, 0, NULL));
	memset(&why, 0x55, sizeof(why));
	before = why;
	test_ok(pinreg_cache_get(cached_cache, memory, PAGE, 0, NULL, &why, &region));
	assert_memory_equal(&why, &before, sizeof(why));
	cached_put(region);
	cached_close();
}

static void get__memory_that_cannot_be_had(void **state)
{
	(void)state;
	struct pinreg_why why;
	unsigned char *memory = cached_pages(4);
	cached_open_as(PINREG_MONITOR_MANUAL);
	test_ok(munmap(memory + 2 * PAGE, PAGE));
	test_ok(mprotect(memory, PAGE, PROT_READ));
	assert_int_equal(cached_refused(memory, 4 * PAGE, READ, &why), -EFAULT);
	assert_int_equal(why.reason, PINREG_REASON_HOLE);
	assert_int_equal(why.addr, (uintptr_t)memory + 2 * PAGE);
	assert_int_equal(cached_refused(memory, 2 * PAGE, 0, &why), -EACCES);
	assert_int_equal(why.reason, PINREG_REASON_PROTECTION);
	assert_int_equal(cached_info().misses, 2);
	assert_int_equal(cached_info().regions, 0);
	cached_put(cached_get(memory, 2 * PAGE, READ, NULL));
	cached_close();
}

static void get__never_a_shadow(void **state)
{
	(void)state;
	struct pinreg_domain_opts opts = { .size = sizeof(opts), .odp_trust = PINREG_TRUST_NONE };
	char path[256];
	strcpy(path, host_file(host_path(host_directory(), "file"), 4));
	int fd = (int)test_ok(open(path, O_RDWR | O_CLOEXEC));
	void *memory = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	cached_domain = tagged_domain(&opts);
	cached_open_as(PINREG_MONITOR_MANUAL);
	assert_int_equal(cached_refused(memory, PAGE, 0, NULL), -EOPNOTSUPP);
	cached_put(cached_get(memory, PAGE, READ, NULL)); /* page cache, only read */
	cached_close();
	close(fd);
}

static void region__functions_of_one_that_is_cached(void **state)
{
	(void)state;
	struct pinreg_keys of_get = { .size = sizeof(of_get) }, keys = { .size = sizeof(keys) };
	struct pinreg_region_info info = { .size = sizeof(info) };
	unsigned char *memory = cached_pages(2);
	cached_open_as(PINREG_MONITOR_MANUAL);
	struct pinreg_region *region = cached_get(memory, 2 * PAGE, 0, &of_get);
	assert_int_equal(pinreg_region_deregister(region), -EINVAL);
	test_ok(pinreg_region_keys(region, &keys));
	assert_memory_equal(&keys, &of_get, sizeof(keys));
	memset((char *)&keys + sizeof(keys.size), 0, sizeof(keys) - sizeof(keys.size));
	test_ok(pinreg_region_enter(region, &keys));
	assert_memory_equal(&keys, &of_get, sizeof(keys));
	pinreg_region_exit(region);
	test_ok(pinreg_region_query(region, &info));
	assert_int_equal(info.method, PINREG_METHOD_PIN);
	assert_int_equal(info.access, CACHED_ALL);
	assert_int_equal(info.addr, (uintptr_t)memory);
	assert_int_equal(info.length, 2 * PAGE);
	assert_int_equal(info.live, 1);
	test_ok(pinreg_region_commit(region, 0, PAGE));
	test_ok(pinreg_region_refresh(region, 0, PAGE));
	assert_int_equal(pinreg_region_commit(region, PAGE, 2 * PAGE), -EINVAL);
	cached_put(region);
	cached_close();
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(open__nonsense),
	cmocka_unit_test(open__unknown_tail),
	cmocka_unit_test(get__nonsense),
	cmocka_unit_test(query__nonsense),
	cmocka_unit_test(get__of_what_is_there),
	cmocka_unit_test(get__rights_that_are_not_there),
	cmocka_unit_test(get__why_is_for_failures),
	cmocka_unit_test(get__memory_that_cannot_be_had),
	cmocka_unit_test(get__never_a_shadow),
	cmocka_unit_test(region__functions_of_one_that_is_cached),
};

TEST_MAIN(cases)
