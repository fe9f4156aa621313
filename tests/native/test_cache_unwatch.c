/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_unwatch.c -- what an application may watch itself after it said that it is no
 * longer to be kept.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/cached.h"
#include "support/test.h"

#define PAGE CACHED_PAGE

static unsigned char *memory;

static int own_uffd(void)
{
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	struct uffdio_api api = { .api = UFFD_API };
	assert_true(fd >= 0);
	test_ok(ioctl(fd, UFFDIO_API, &api));
	return fd;
}

static int own_watch(int fd, void *addr, size_t length)
{
	struct uffdio_register range = {
		.range = { .start = (uintptr_t)addr, .len = length },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	return ioctl(fd, UFFDIO_REGISTER, &range) ? -errno : 0;
}

static int fd;

static void open_and_use(void)
{
	cached_open_as(PINREG_MONITOR_UFFD);
	fd = own_uffd();
	memory = cached_pages(8);
	cached_put(cached_get(memory, 2 * PAGE, 0, NULL));
	assert_int_equal(own_watch(fd, memory, 4 * PAGE), -EBUSY);
}

static void expect_free(void)
{
	int status = own_watch(fd, memory, 4 * PAGE);
	close(fd);
	cached_close();
	assert_int_equal(status, 0);
}

static void invalidate__the_range(void **state)
{
	(void)state;
	open_and_use();
	test_ok(pinreg_cache_invalidate(cached_cache, memory, 4 * PAGE));
	expect_free();
}

/* A file that may only be read lies in it, which nobody can watch. */
static void invalidate__with_something_else_in_it(void **state)
{
	(void)state;
	open_and_use();
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	assert_ptr_not_equal(
		mmap(memory + 4 * PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, file, 0),
		MAP_FAILED);
	close(file);
	test_ok(pinreg_cache_invalidate(cached_cache, memory, 8 * PAGE));
	expect_free();
}

static void invalidate__all_addresses(void **state)
{
	(void)state;
	open_and_use();
	test_ok(pinreg_cache_invalidate(cached_cache, (void *)1, SIZE_MAX - 1));
	expect_free();
}

static void invalidate__then_a_neighbour_comes(void **state)
{
	(void)state;
	open_and_use();
	test_ok(pinreg_cache_invalidate(cached_cache, memory, 4 * PAGE));
	cached_put(cached_get(memory + 6 * PAGE, PAGE, 0, NULL));
	expect_free();
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(invalidate__the_range),
	cmocka_unit_test(invalidate__with_something_else_in_it),
	cmocka_unit_test(invalidate__all_addresses),
	cmocka_unit_test(invalidate__then_a_neighbour_comes),
};

TEST_MAIN(cases)
