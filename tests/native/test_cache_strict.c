/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_strict.c -- strict, where the kernel says all the time that something is being
 * unmapped, or nothing any more.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include "support/cached.h"
#include "support/test.h"

#define PAGE CACHED_PAGE

static unsigned char *memory;

static void open_cache(void)
{
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_UFFD,
		.strict = 1,
		.no_merge = 1,
	};
	memory = cached_pages(16);
	cached_open(&opts);
}

static _Atomic(bool) busy, shut;
static _Atomic(unsigned int) looks, asked;

static int read_and_wait(int fd, struct pinreg_unmap *out, unsigned int room)
{
	int count = pinreg_sys_real.unmaps_next(fd, out, room);
	while (count > 0 && shut)
		sched_yield();
	return count;
}

static int always_pending(int fd)
{
	return busy ? 1 : pinreg_sys_real.unmaps_pending(fd);
}

static int count_looks(struct pinreg_maps *maps)
{
	looks++;
	return pinreg_sys_real.maps_begin(maps);
}

/* The message of what was mapped over it is read, but its reader does not go on. */
static void uncertain__nothing_is_known(void **state)
{
	(void)state;
	struct pinreg_region *region = NULL;
	struct pinreg_region_info info = { .size = sizeof(info) };
	tagged_set_up();
	tagged_sys.unmaps_next = read_and_wait;
	tagged_sys.unmaps_pending = always_pending;
	tagged_sys.maps_begin = count_looks;
	open_cache();
	cached_put(cached_get(memory, PAGE, 0, NULL));
	busy = shut = true;
	assert_ptr_equal(mmap(memory + 8 * PAGE, PAGE, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			 memory + 8 * PAGE);
	tagged_fill(memory + 8 * PAGE, PAGE);
	looks = 0;
	test_ok(pinreg_cache_get(cached_cache, memory + 8 * PAGE, PAGE, 0, NULL, NULL, &region));
	assert_true(looks > 0);
	test_ok(pinreg_region_query(region, &info));
	assert_int_equal(info.why.kind, PINREG_KIND_SHMEM);
	shut = busy = false;
	cached_put(region);
	cached_close();
}

static _Atomic(bool) broken;

static int next_or_error(int fd, struct pinreg_unmap *out, unsigned int room)
{
	return broken ? -EIO : pinreg_sys_real.unmaps_next(fd, out, room);
}

static int count_asked(int fd)
{
	asked++;
	return pinreg_sys_real.unmaps_pending(fd);
}

/* Nothing is kept any more, and nobody waits for a kernel that will not answer. */
static void deaf__nobody_waits(void **state)
{
	(void)state;
	tagged_set_up();
	tagged_sys.unmaps_next = next_or_error;
	tagged_sys.unmaps_pending = count_asked;
	open_cache();
	cached_put(cached_get(memory, PAGE, 0, NULL));
	broken = true;
	test_ok(munmap(memory + 7 * PAGE, PAGE));
	cached_expect_live(0);
	asked = 0;
	for (unsigned int i = 0; i < 5; i++)
		cached_put(cached_get(memory, PAGE, 0, NULL));
	/* once in looking for a hit, once in the miss */
	assert_in_range(asked, 5, 10);
	cached_expect_live(0);
	cached_close();
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(uncertain__nothing_is_known),
	cmocka_unit_test(deaf__nobody_waits),
};

TEST_MAIN(cases)
