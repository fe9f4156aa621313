/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_unmapping.c -- what becomes of memory, and that a cache hears of it.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/arena.h"
#include "support/cached.h"
#include "support/test.h"

#define PAGE CACHED_PAGE
#define LENGTH (8 * PAGE)

static unsigned char *memory;

/* How much later it is said to be. */
static _Atomic(uint64_t) ahead_ns;

static uint64_t now_ns(void)
{
	return pinreg_sys_real.now_ns() + atomic_load(&ahead_ns);
}

/* The clock before the cache: its monitor reads it. */
static void set_up(void)
{
	tagged_set_up();
	tagged_sys.now_ns = now_ns;
	memory = cached_pages(LENGTH / PAGE);
}

static void open_cache(void)
{
	set_up();
	cached_open_as(PINREG_MONITOR_UFFD);
}

/* ---- what becomes of memory: afterwards it is there again, with other pages ---- */

static void map_again(unsigned char *addr, size_t length)
{
	arena_map(addr, length, PROT_READ | PROT_WRITE);
	tagged_fill(addr, length);
}

static void unmap_it(void)
{
	test_ok(munmap(memory, LENGTH));
	map_again(memory, LENGTH);
}

static void unmap_a_page(void)
{
	test_ok(munmap(memory + 3 * PAGE, PAGE));
	map_again(memory + 3 * PAGE, PAGE);
}

static void map_over_a_page(void)
{
	map_again(memory + LENGTH - PAGE, PAGE);
}

static void empty_a_page(void)
{
	test_ok(madvise(memory, PAGE, MADV_DONTNEED));
	tagged_fill(memory, PAGE);
}

static void move_it(void)
{
	unsigned char *to = cached_pages(LENGTH / PAGE);
	assert_ptr_equal(mremap(memory, LENGTH, LENGTH, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
	map_again(memory, LENGTH);
}

static void shorten_it(void)
{
	assert_ptr_equal(mremap(memory, LENGTH, LENGTH - PAGE, 0), memory);
	map_again(memory + LENGTH - PAGE, PAGE);
}

static void move_something_over_it(void)
{
	unsigned char *from = cached_pages(LENGTH / PAGE);
	assert_ptr_equal(mremap(from, LENGTH, LENGTH, MREMAP_MAYMOVE | MREMAP_FIXED, memory),
			 memory);
}

static void remove_a_page(void)
{
	test_ok(madvise(memory, PAGE, MADV_REMOVE));
	tagged_fill(memory, PAGE);
}

/*
 * The message about emptying comes before the pages go, so for some time nothing new is
 * kept there; then it is.
 */
static void expect_heard_early(void (*change)(void))
{
	assert_false(cached_hit(memory, LENGTH, 0));
	assert_true(cached_hit(memory, LENGTH, 0));
	change();
	assert_false(cached_hit(memory, LENGTH, 0));
	assert_false(cached_hit(memory, LENGTH, 0));
	assert_int_equal(cached_info().invalidations, 1);
	assert_int_equal(cached_info().unkept, 2);
	assert_false(cached_hit(memory + PAGE, PAGE, 0)); /* what lies beside it */
	assert_true(cached_hit(memory + PAGE, PAGE, 0));
	atomic_fetch_add(&ahead_ns, 10000000000); /* how much later is for the cache to say */
	assert_false(cached_hit(memory, LENGTH, 0));
	assert_true(cached_hit(memory, LENGTH, 0));
	cached_expect_live(1);
	cached_close();
}

/* Kept before; given up then, and not before the last put. */
static void expect_heard(void (*change)(void))
{
	assert_false(cached_hit(memory, LENGTH, 0));
	assert_true(cached_hit(memory, LENGTH, 0));
	struct pinreg_keys keys;
	struct pinreg_region *region = cached_get(memory, LENGTH, 0, &keys);
	change();
	assert_false(cached_hit(memory, LENGTH, 0));
	assert_int_equal(cached_info().invalidations, 1);
	assert_int_equal(cached_info().regions, 2);
	assert_non_null(tagged_find(&keys));
	cached_put(region);
	assert_null(tagged_find(&keys));
	assert_true(cached_hit(memory, LENGTH, 0));
	/* and one that nobody uses */
	change();
	assert_false(cached_hit(memory, LENGTH, 0));
	assert_int_equal(cached_info().invalidations, 2);
	cached_expect_live(1);
	cached_close();
}

static void uffd__unmapped(void **state)
{
	(void)state;
	open_cache();
	expect_heard(unmap_it);
}

static void uffd__unmapped_in_part(void **state)
{
	(void)state;
	open_cache();
	expect_heard(unmap_a_page);
}

static void uffd__mapped_over(void **state)
{
	(void)state;
	open_cache();
	expect_heard(map_over_a_page);
}

static void uffd__emptied(void **state)
{
	(void)state;
	open_cache();
	expect_heard_early(empty_a_page);
}

static void uffd__moved(void **state)
{
	(void)state;
	open_cache();
	expect_heard(move_it);
}

static void uffd__shortened(void **state)
{
	(void)state;
	open_cache();
	expect_heard(shorten_it);
}

static void uffd__moved_over(void **state)
{
	(void)state;
	open_cache();
	expect_heard(move_something_over_it);
}

static void uffd__shared_and_removed(void **state)
{
	(void)state;
	struct pinreg_cache_opts opts = { .size = sizeof(opts), .keep_files = 1 };
	set_up();
	cached_open(&opts);
	assert_ptr_equal(mmap(memory, LENGTH, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			 memory);
	tagged_fill(memory, LENGTH);
	expect_heard_early(remove_a_page);
}

/* The heap that grows and shrinks at its end. */
static void uffd__program_break(void **state)
{
	(void)state;
	cached_open_as(PINREG_MONITOR_UFFD);
	free(malloc(1 << 16)); /* so that nobody else moves it meanwhile */
	memory = (unsigned char *)(((uintptr_t)sbrk(LENGTH + PAGE) + PAGE - 1) & ~(PAGE - 1ul));
	void *end = sbrk(0);
	tagged_fill(memory, LENGTH);
	assert_false(cached_hit(memory, LENGTH, 0));
	assert_true(cached_hit(memory, LENGTH, 0));
	assert_ptr_equal(sbrk(-(intptr_t)(LENGTH + PAGE)), end);
	sbrk(LENGTH + PAGE);
	tagged_fill(memory, LENGTH);
	assert_false(cached_hit(memory, LENGTH, 0));
	assert_int_equal(cached_info().invalidations, 1);
	cached_close();
}

static void uffd__many_ways_one_after_the_other(void **state)
{
	(void)state;
	static void (*const changes[])(void) = {
		unmap_it,
		unmap_a_page,
		map_over_a_page,
		shorten_it,
	};
	open_cache();
	for (unsigned int i = 0; i < 600; i++) {
		assert_false(cached_hit(memory + PAGE / 2, LENGTH - PAGE, 0));
		changes[i % 4]();
	}
	cached_close();
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(uffd__unmapped),
	cmocka_unit_test(uffd__unmapped_in_part),
	cmocka_unit_test(uffd__mapped_over),
	cmocka_unit_test(uffd__emptied),
	cmocka_unit_test(uffd__moved),
	cmocka_unit_test(uffd__shortened),
	cmocka_unit_test(uffd__moved_over),
	cmocka_unit_test(uffd__shared_and_removed),
	cmocka_unit_test(uffd__program_break),
	cmocka_unit_test(uffd__many_ways_one_after_the_other),
};

TEST_MAIN(cases)
