/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_merge.c -- requests that are made part of a larger region, and those that
 * must not be.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/cached.h"
#include "support/test.h"

#define PAGE CACHED_PAGE
#define READ IBV_ACCESS_REMOTE_READ
#define LOCAL IBV_ACCESS_LOCAL_WRITE

static unsigned char *memory;

static void open_cache(uint64_t max_merge, unsigned int no_merge, unsigned int access)
{
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_MANUAL,
		.max_merge = max_merge,
		.no_merge = no_merge,
		.access = access,
	};
	memory = cached_pages(16);
	cached_open(&opts);
}

/* Get and put pages; is the region what is expected? */
static void expect_region(unsigned int first, unsigned int count, unsigned int access,
			  unsigned int region_first, unsigned int region_count)
{
	struct pinreg_keys keys;
	cached_put(cached_get(memory + first * PAGE, count * PAGE, access, &keys));
	assert_int_equal((keys.addr - (uintptr_t)memory) / PAGE, region_first);
	assert_int_equal(keys.length, region_count * PAGE);
}

static void merge__adjacent(void **state)
{
	(void)state;
	open_cache(0, 0, 0);
	expect_region(4, 2, 0, 4, 2);
	expect_region(6, 2, 0, 4, 4); /* behind */
	expect_region(0, 4, 0, 0, 8); /* and before it */
	assert_int_equal(cached_info().merges, 2);
	assert_int_equal(cached_info().misses, 3);
	assert_int_equal(cached_info().regions, 1);
	assert_int_equal(cached_info().bytes, 8 * PAGE);
	assert_int_equal(tagged_device.live, 1);
	assert_true(cached_hit(memory + 5 * PAGE, 2 * PAGE, 0));
	cached_close();
}

static void merge__overlapping(void **state)
{
	(void)state;
	open_cache(0, 0, 0);
	expect_region(0, 8, 0, 0, 8);
	expect_region(7, 2, 0, 0, 9); /* whatever the lengths are */
	assert_int_equal(cached_info().merges, 1);
	assert_int_equal(tagged_device.live, 1);
	cached_close();
}

static void merge__fills_the_gap(void **state)
{
	(void)state;
	open_cache(0, 0, 0);
	expect_region(0, 2, 0, 0, 2);
	expect_region(4, 2, 0, 4, 2);
	expect_region(2, 2, 0, 0, 6);
	assert_int_equal(cached_info().regions, 1);
	cached_close();
}

static void merge__not_over_a_gap(void **state)
{
	(void)state;
	open_cache(0, 0, 0);
	cached_put(cached_get(memory, PAGE - 1, 0, NULL));
	expect_region(1, 1, 0, 1, 1); /* a byte lies between */
	assert_int_equal(cached_info().merges, 0);
	cached_close();
}

/* Who uses the old region keeps it. */
static void merge__with_one_in_use(void **state)
{
	(void)state;
	struct pinreg_keys keys;
	open_cache(0, 0, 0);
	struct pinreg_region *old = cached_get(memory, 2 * PAGE, 0, &keys);
	expect_region(2, 2, 0, 0, 4);
	assert_int_equal(tagged_device.live, 2);
	tagged_check(&keys, memory, 2 * PAGE, CACHED_ALL);
	expect_region(0, 2, 0, 0, 4); /* nobody new gets it */
	cached_put(old);
	assert_int_equal(tagged_device.live, 1);
	cached_close();
}

static void merge__other_rights(void **state)
{
	(void)state;
	open_cache(0, 0, 0);
	expect_region(0, 2, READ, 0, 2);
	expect_region(2, 2, LOCAL, 2, 2);
	expect_region(1, 3, 0, 1, 3);
	assert_int_equal(cached_info().merges, 0);
	expect_region(2, 4, READ, 0, 6); /* as the first */
	assert_int_equal(cached_info().merges, 1);
	cached_close();
}

static void merge__with_memory_that_may_only_be_read(void **state)
{
	(void)state;
	open_cache(0, 0, 0);
	test_ok(mprotect(memory, 2 * PAGE, PROT_READ));
	expect_region(0, 2, READ, 0, 2);
	expect_region(2, 2, READ, 0, 4);
	expect_region(4, 2, 0, 4, 2);
	expect_region(6, 2, 0, 4, 4);
	assert_int_equal(cached_refused(memory + PAGE, 2 * PAGE, 0, NULL), -EACCES);
	assert_int_equal(cached_info().merges, 2);
	cached_close();
}

/* The larger one would be of two kinds: only what was asked for is registered. */
static void merge__other_kind(void **state)
{
	(void)state;
	open_cache(0, 0, 0);
	int fd = (int)test_ok(memfd_create("kind", MFD_CLOEXEC));
	test_ok(ftruncate(fd, 2 * PAGE));
	assert_ptr_equal(mmap(memory + 2 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_FIXED, fd, 0),
			 memory + 2 * PAGE);
	close(fd);
	expect_region(0, 2, 0, 0, 2);
	expect_region(2, 2, 0, 2, 2);
	assert_int_equal(cached_info().merges, 0);
	assert_int_equal(cached_info().regions, 2);
	expect_region(1, 3, 0, 1, 3); /* what is asked for may be of two kinds */
	cached_close();
}

static bool two_pages_only;

static int long_ones_fail(void *addr, size_t length, unsigned int access)
{
	(void)addr;
	(void)access;
	return two_pages_only && length > 2 * PAGE ? -EIO : 0;
}

static void merge__that_the_device_refuses(void **state)
{
	(void)state;
	tagged_set_up();
	tagged_device.registers = long_ones_fail;
	open_cache(0, 0, 0);
	expect_region(0, 2, 0, 0, 2);
	two_pages_only = true;
	expect_region(2, 2, 0, 2, 2);
	assert_int_equal(cached_info().merges, 0);
	assert_int_equal(cached_info().regions, 2);
	cached_close();
}

static void merge__no_longer_than_allowed(void **state)
{
	(void)state;
	open_cache(4 * PAGE, 0, 0);
	expect_region(0, 2, 0, 0, 2);
	expect_region(2, 2, 0, 0, 4);
	expect_region(4, 4, 0, 4, 4);
	expect_region(6, 4, 0, 6, 4);
	expect_region(0, 16, 0, 0, 16); /* what is asked for may be longer */
	cached_close();
}

static void merge__not_wanted(void **state)
{
	(void)state;
	open_cache(0, 1, 0);
	expect_region(0, 2, 0, 0, 2);
	expect_region(2, 2, 0, 2, 2);
	expect_region(1, 2, 0, 1, 2);
	assert_int_equal(cached_info().merges, 0);
	assert_int_equal(tagged_device.live, 3);
	cached_close();
}

/* ---- rights beside those asked for ---- */

static unsigned int rights_of(void *addr, unsigned int access)
{
	struct pinreg_keys keys;
	struct pinreg_region *region = cached_get(addr, PAGE, access, &keys);
	unsigned int rights = tagged_find(&keys)->access;
	cached_put(region);
	return rights;
}

static void wider__as_far_as_the_mapping_goes(void **state)
{
	(void)state;
	open_cache(0, 1, LOCAL | IBV_ACCESS_REMOTE_WRITE);
	test_ok(mprotect(memory + PAGE, PAGE, PROT_READ));
	assert_int_equal(rights_of(memory, READ), CACHED_ALL);
	assert_true(cached_hit(memory, PAGE, LOCAL));
	assert_int_equal(rights_of(memory + PAGE, READ), READ);
	assert_true(cached_hit(memory + PAGE, PAGE, READ));
	assert_int_equal(cached_refused(memory + PAGE, PAGE, LOCAL, NULL), -EACCES);
	cached_close();
}

static void wider__merges_by_what_they_have(void **state)
{
	(void)state;
	open_cache(0, 0, LOCAL | IBV_ACCESS_REMOTE_WRITE);
	expect_region(0, 2, READ, 0, 2);
	expect_region(2, 2, 0, 0, 4);
	cached_close();
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(merge__adjacent),
	cmocka_unit_test(merge__overlapping),
	cmocka_unit_test(merge__fills_the_gap),
	cmocka_unit_test(merge__not_over_a_gap),
	cmocka_unit_test(merge__with_one_in_use),
	cmocka_unit_test(merge__other_rights),
	cmocka_unit_test(merge__with_memory_that_may_only_be_read),
	cmocka_unit_test(merge__other_kind),
	cmocka_unit_test(merge__that_the_device_refuses),
	cmocka_unit_test(merge__no_longer_than_allowed),
	cmocka_unit_test(merge__not_wanted),
	cmocka_unit_test(wider__as_far_as_the_mapping_goes),
	cmocka_unit_test(wider__merges_by_what_they_have),
};

TEST_MAIN(cases)
