/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_known.c -- a further region of a mapping is made without looking at it again,
 * and only while nothing can have changed unheard.
 */
#include <errno.h>
#include <sys/mman.h>

#include "cache/known.h"
#include "support/cached.h"
#include "support/test.h"

#define PAGE CACHED_PAGE
#define PAGES 64u

static unsigned char *memory;
static unsigned int looks, watches;

static int count_looks(struct pinreg_maps *maps)
{
	looks++;
	return pinreg_sys_real.maps_begin(maps);
}

static int count_watches(int fd, uint64_t addr, uint64_t length)
{
	watches++;
	return pinreg_sys_real.unmaps_watch(fd, addr, length);
}

static void open_cache_of(enum pinreg_monitor monitor, uint64_t max_regions)
{
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = monitor,
		.max_regions = max_regions,
		.no_merge = 1,
	};
	tagged_set_up();
	tagged_sys.maps_begin = count_looks;
	tagged_sys.unmaps_watch = count_watches;
	memory = cached_pages(PAGES);
	cached_open(&opts);
}

static void open_cache(enum pinreg_monitor monitor)
{
	open_cache_of(monitor, 0);
}

/* A miss of that page. True: it looked at the memory map. */
static bool miss_looks(unsigned int page, unsigned int access)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	looks = watches = 0;
	struct pinreg_region *region = cached_get(memory + page * PAGE, PAGE, access, &keys);
	tagged_check(&keys, memory + page * PAGE, PAGE, access ? access : CACHED_ALL);
	cached_put(region);
	assert_int_equal(!looks, !watches);
	return looks;
}

static void known__the_same_mapping(void **state)
{
	(void)state;
	open_cache(PINREG_MONITOR_UFFD);
	assert_true(miss_looks(0, 0));
	for (unsigned int page = 2; page < PAGES; page += 2)
		assert_false(miss_looks(page, 0));
	assert_int_equal(cached_info().misses, PAGES / 2);
	assert_int_equal(cached_info().regions, PAGES / 2);
	assert_int_equal(cached_info().pinned, PAGES / 2 * PAGE);
	assert_int_equal(cached_info().unkept, 0);
	assert_true(cached_hit(memory + 4 * PAGE, PAGE, 0));
	cached_close();
}

/* And the region of it is given up, though nobody looked. */
static void known__unmapped_and_mapped(void **state)
{
	(void)state;
	open_cache(PINREG_MONITOR_UFFD);
	assert_true(miss_looks(0, 0));
	assert_false(miss_looks(8, 0));
	test_ok(munmap(memory + 8 * PAGE, PAGE));
	assert_ptr_equal(mmap(memory + 8 * PAGE, PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			 memory + 8 * PAGE);
	tagged_fill(memory + 8 * PAGE, PAGE);
	assert_int_equal(cached_info().invalidations, 1);
	assert_true(miss_looks(8, 0));
	cached_close();
}

static void known__invalidated(void **state)
{
	(void)state;
	open_cache(PINREG_MONITOR_UFFD);
	assert_true(miss_looks(0, 0));
	test_ok(pinreg_cache_invalidate(cached_cache, memory + 20 * PAGE, PAGE));
	assert_true(miss_looks(8, 0));
	assert_false(miss_looks(10, 0));
	cached_close();
}

static void known__other_rights(void **state)
{
	(void)state;
	open_cache(PINREG_MONITOR_UFFD);
	assert_true(miss_looks(0, IBV_ACCESS_LOCAL_WRITE));
	assert_false(miss_looks(2, IBV_ACCESS_LOCAL_WRITE));
	assert_true(miss_looks(4, CACHED_ALL));
	/* what is only read may be shared by the kernel until it is written: a look each time */
	assert_true(miss_looks(6, IBV_ACCESS_REMOTE_READ));
	assert_true(miss_looks(8, IBV_ACCESS_REMOTE_READ));
	cached_close();
}

static int refuse_locked(void *addr, size_t length, unsigned int access)
{
	(void)length;
	(void)access;
	return (unsigned char *)addr == memory + 10 * PAGE ? -EFAULT : 0;
}

/* As the kernel does where pages may not be written. */
static void known__protection_taken_away(void **state)
{
	(void)state;
	struct pinreg_why why;
	open_cache(PINREG_MONITOR_UFFD);
	tagged_device.registers = refuse_locked;
	assert_true(miss_looks(0, 0));
	test_ok(mprotect(memory + 10 * PAGE, PAGE, PROT_READ));
	assert_int_equal(cached_refused(memory + 10 * PAGE, PAGE, 0, &why), -EACCES);
	assert_int_equal(why.reason, PINREG_REASON_PROTECTION);
	assert_int_equal(cached_info().regions, 1);
	assert_int_equal(cached_info().pinned, PAGE);
	cached_close();
}

#define FAR_APART (1u << 20)
#define FAR_PAGES 64u

/* In a large mapping blocks of 2, 8, 32 and so many MiB are watched, as regions come. */
static void known__more_with_each_look(void **state)
{
	(void)state;
	size_t length = FAR_PAGES * FAR_APART;
	open_cache(PINREG_MONITOR_UFFD);
	unsigned char *far = mmap(NULL, length, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_not_equal(far, MAP_FAILED);
	looks = watches = 0;
	for (unsigned int i = 0; i < FAR_PAGES; i++)
		cached_put(cached_get(far + i * FAR_APART, PAGE, 0, NULL));
	assert_in_range(watches, 2, 8);
	assert_int_equal(cached_info().regions, FAR_PAGES);
	/* it is heard of where nobody had a look of its own */
	test_ok(munmap(far + 40 * FAR_APART, PAGE));
	assert_int_equal(cached_info().invalidations, 1);
	test_ok(munmap(far, length));
	assert_int_equal(cached_info().invalidations, FAR_PAGES);
	cached_close();
}

/* Where the memory beside was looked at, but is not watched yet. */
static int replace_then_watch(int fd, uint64_t addr, uint64_t length)
{
	tagged_sys.unmaps_watch = count_watches;
	assert_ptr_equal(mmap(memory + 8 * PAGE, PAGE, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			 memory + 8 * PAGE);
	tagged_fill(memory + 8 * PAGE, PAGE);
	return count_watches(fd, addr, length);
}

static void known__not_what_came_beside_it(void **state)
{
	(void)state;
	open_cache(PINREG_MONITOR_UFFD);
	tagged_sys.unmaps_watch = replace_then_watch;
	assert_true(miss_looks(0, 0));
	assert_false(miss_looks(2, 0));
	assert_true(miss_looks(8, 0));
	/* of memory that may be shared none is kept */
	assert_int_equal(cached_info().unkept, 1);
	assert_true(miss_looks(10, 0));
	cached_close();
}

/* Another's: only what was asked for is watched, and known. */
static int refuse_beside(int fd, uint64_t addr, uint64_t length)
{
	return length > PAGE ? -EBUSY : count_watches(fd, addr, length);
}

static void known__only_what_is_watched(void **state)
{
	(void)state;
	open_cache(PINREG_MONITOR_UFFD);
	tagged_sys.unmaps_watch = refuse_beside;
	assert_true(miss_looks(4, 0));
	assert_true(miss_looks(6, 0));
	assert_int_equal(cached_info().regions, 2);
	cached_close();
}

/* The rest of a page that is no longer watched is not known either. */
static void known__rest_of_a_page(void **state)
{
	(void)state;
	open_cache_of(PINREG_MONITOR_UFFD, 1);
	tagged_sys.unmaps_watch = refuse_beside;
	cached_put(cached_get(memory, 1000, 0, NULL));
	/* that one goes, and what is known stays */
	assert_true(miss_looks(4, 0));
	test_ok(pinreg_cache_invalidate(cached_cache, memory + 1000, 1000));
	looks = 0;
	cached_put(cached_get(memory, 1000, 0, NULL));
	assert_true(looks);
	cached_close();
}

/* The application does not say what it does with memory beside the regions. */
static void known__nothing_with_manual(void **state)
{
	(void)state;
	open_cache(PINREG_MONITOR_MANUAL);
	for (unsigned int page = 0; page < 4; page += 2) {
		looks = 0;
		cached_put(cached_get(memory + page * PAGE, PAGE, 0, NULL));
		assert_true(looks > 0);
	}
	cached_close();
}

static void known__list_of_them(void **state)
{
	(void)state;
	static const char facts[2]; /* only their addresses count */
	const void *one = &facts[0], *other = &facts[1];
	struct pinreg_known known = { 0 };
	assert_null(pinreg_known_find(&known, 1, 2, 7));
	pinreg_known_add(&known, 100, 200, 7, one);
	assert_ptr_equal(pinreg_known_find(&known, 100, 200, 7), one);
	assert_null(pinreg_known_find(&known, 99, 150, 7));
	assert_null(pinreg_known_find(&known, 150, 201, 7));
	assert_null(pinreg_known_find(&known, 100, 200, 1));
	pinreg_known_forget(&known, 200, 300);
	assert_ptr_equal(pinreg_known_find(&known, 100, 200, 7), one);
	pinreg_known_forget(&known, 199, 200);
	assert_null(pinreg_known_find(&known, 100, 101, 7));
	/* the oldest goes */
	for (uint64_t i = 0; i <= PINREG_KNOWN_ROOM; i++)
		pinreg_known_add(&known, 1000 * i, 1000 * i + 10, 7, other);
	assert_null(pinreg_known_find(&known, 0, 10, 7));
	assert_ptr_equal(pinreg_known_find(&known, 1000, 1010, 7), other);
	pinreg_known_forget(&known, 0, UINT64_MAX);
	assert_null(pinreg_known_find(&known, 1000, 1010, 7));
	/* one with more of the mapping takes the place of those that lie in it */
	for (uint64_t i = 0; i < 2 * PINREG_KNOWN_ROOM; i++)
		pinreg_known_add(&known, 1000, 2000 + i, 7, one);
	pinreg_known_add(&known, 10, 20, 7, other);
	assert_ptr_equal(pinreg_known_find(&known, 1000, 2000, 7), one);
	assert_ptr_equal(pinreg_known_find(&known, 10, 20, 7), other);
}

#define MIB (UINT64_C(1) << 20)

static void known__blocks(void **state)
{
	(void)state;
	static const char facts[1];
	const void *one = &facts[0];
	struct pinreg_known known = { 0 };
	assert_int_equal(pinreg_known_block(&known, 0, 4096), 2 * MIB);
	assert_int_equal(pinreg_known_block(&known, 1, UINT64_MAX), 2 * MIB);
	pinreg_known_add(&known, 100 * MIB, 102 * MIB, 7, one);
	assert_int_equal(pinreg_known_block(&known, 102 * MIB, 103 * MIB), 8 * MIB);
	assert_int_equal(pinreg_known_block(&known, 104 * MIB, 105 * MIB), 8 * MIB);
	assert_int_equal(pinreg_known_block(&known, 104 * MIB + 1, 105 * MIB), 2 * MIB);
	assert_int_equal(pinreg_known_block(&known, 97 * MIB, 98 * MIB), 8 * MIB);
	assert_int_equal(pinreg_known_block(&known, 97 * MIB, 98 * MIB - 1), 2 * MIB);
	/* what it lies in with other rights, or reaches into */
	assert_int_equal(pinreg_known_block(&known, 100 * MIB, 101 * MIB), 8 * MIB);
	assert_int_equal(pinreg_known_block(&known, 99 * MIB, 103 * MIB), 8 * MIB);
	/* the longest, and never more than the most */
	pinreg_known_add(&known, 112 * MIB, 1024 * MIB, 7, one);
	assert_int_equal(pinreg_known_block(&known, 103 * MIB, 104 * MIB), 1024 * MIB);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(known__the_same_mapping),
	cmocka_unit_test(known__unmapped_and_mapped),
	cmocka_unit_test(known__invalidated),
	cmocka_unit_test(known__other_rights),
	cmocka_unit_test(known__protection_taken_away),
	cmocka_unit_test(known__more_with_each_look),
	cmocka_unit_test(known__not_what_came_beside_it),
	cmocka_unit_test(known__only_what_is_watched),
	cmocka_unit_test(known__rest_of_a_page),
	cmocka_unit_test(known__nothing_with_manual),
	cmocka_unit_test(known__list_of_them),
	cmocka_unit_test(known__blocks),
};

TEST_MAIN(cases)
