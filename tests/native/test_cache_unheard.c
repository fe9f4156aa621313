/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_unheard.c -- what a cache does not keep as it would not hear of its end, and
 * the other monitors.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/arena.h"
#include "support/cached.h"
#include "support/hooks.h"
#include "support/test.h"

#define PAGE CACHED_PAGE
#define LENGTH (8 * PAGE)
#define READ IBV_ACCESS_REMOTE_READ

static unsigned char *memory;

static void open_cache(void)
{
	memory = cached_pages(LENGTH / PAGE);
	cached_open_as(PINREG_MONITOR_UFFD);
}

static void map_again(unsigned char *addr, size_t length)
{
	arena_map(addr, length, PROT_READ | PROT_WRITE);
	tagged_fill(addr, length);
}

static void expect_unkept(unsigned int access)
{
	struct pinreg_cache_info before = cached_info();
	assert_false(cached_hit(memory, LENGTH, access));
	assert_false(cached_hit(memory, LENGTH, access));
	assert_int_equal(cached_info().unkept, before.unkept + 2);
	assert_int_equal(cached_info().regions, before.regions);
	cached_expect_live(before.regions);
}

static int memory_of_a_file(int fd)
{
	test_ok(ftruncate(fd, LENGTH));
	memory = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	tagged_fill(memory, LENGTH);
	return fd;
}

static void unkept__system_v(void **state)
{
	(void)state;
	cached_open_as(PINREG_MONITOR_UFFD);
	int id = (int)test_ok(shmget(IPC_PRIVATE, LENGTH, IPC_CREAT | 0600));
	memory = shmat(id, NULL, 0);
	test_ok(shmctl(id, IPC_RMID, NULL));
	assert_ptr_not_equal(memory, (void *)-1);
	expect_unkept(0);
	test_ok(shmdt(memory));
	cached_close();
}

static void unkept__files(void **state)
{
	(void)state;
	cached_open_as(PINREG_MONITOR_UFFD);
	close(memory_of_a_file((int)test_ok(memfd_create("cached", MFD_CLOEXEC))));
	expect_unkept(0);
	hooks_files();
	close(memory_of_a_file((int)test_ok(open(hooks_a, O_RDWR | O_CLOEXEC))));
	expect_unkept(READ);
	cached_close();
}

static void kept__files_that_nobody_truncates(void **state)
{
	(void)state;
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_UFFD,
		.keep_files = 1,
	};
	cached_open(&opts);
	int fd = memory_of_a_file((int)test_ok(memfd_create("cached", MFD_CLOEXEC)));
	assert_false(cached_hit(memory, LENGTH, 0));
	assert_true(cached_hit(memory, LENGTH, 0));
	test_ok(munmap(memory, LENGTH));
	map_again(memory, LENGTH);
	assert_false(cached_hit(memory, LENGTH, 0));
	close(fd);
	cached_close();
}

/* Its own fence is what such a region lives by. */
static void unkept__leased_file(void **state)
{
	(void)state;
	struct pinreg_file_info info = { .size = sizeof(info) };
	cached_open_as(PINREG_MONITOR_MANUAL);
	hooks_files();
	struct pinreg_file *file = hooks_open(cached_domain, hooks_a);
	test_ok(pinreg_file_query(file, &info));
	memory = (unsigned char *)info.addr;
	struct pinreg_region *region = NULL;
	test_ok(pinreg_cache_get(cached_cache, memory, LENGTH, 0, NULL, NULL, &region));
	assert_int_equal(cached_info().unkept, 1);
	assert_int_equal(cached_info().in_use, 1);
	assert_int_equal(pinreg_file_close(file), -EBUSY); /* it is on the file */
	cached_put(region);
	assert_int_equal(cached_info().in_use, 0);
	test_ok(pinreg_file_close(file));
	cached_close();
}

/* ---- an application that has a userfaultfd ---- */

static int own_userfaultfd(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		test_skip("userfaultfd: %s", strerror(errno));
	return fd;
}

static int watch_with(int fd)
{
	struct uffdio_register what = {
		.range = { (uintptr_t)memory, LENGTH },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	return ioctl(fd, UFFDIO_REGISTER, &what) ? -errno : 0;
}

static void unkept__what_the_application_watches(void **state)
{
	(void)state;
	open_cache();
	int fd = own_userfaultfd();
	test_ok(watch_with(fd));
	expect_unkept(0);
	/* and what lies beside it is kept */
	unsigned char *watched = memory;
	memory = cached_pages(LENGTH / PAGE);
	assert_false(cached_hit(memory, LENGTH, 0));
	assert_true(cached_hit(memory, LENGTH, 0));
	close(fd);
	memory = watched;
	assert_false(cached_hit(memory, LENGTH, 0));
	assert_true(cached_hit(memory, LENGTH, 0));
	cached_close();
}

static void invalidate__gives_the_range_to_the_application(void **state)
{
	(void)state;
	open_cache();
	int fd = own_userfaultfd();
	cached_put(cached_get(memory, LENGTH, 0, NULL));
	assert_int_equal(watch_with(fd), -EBUSY);
	test_ok(pinreg_cache_invalidate(cached_cache, memory, LENGTH));
	assert_int_equal(tagged_device.live, 0);
	test_ok(watch_with(fd));
	expect_unkept(0);
	close(fd);
	cached_close();
}

/* Two regions share a page; when one is given up the other still has to be watched. */
static void invalidate__next_to_another(void **state)
{
	(void)state;
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_UFFD,
		.no_merge = 1,
	};
	memory = cached_pages(2);
	cached_open(&opts);
	cached_put(cached_get(memory, 100, 0, NULL));
	cached_put(cached_get(memory + 200, PAGE, 0, NULL));
	test_ok(pinreg_cache_invalidate(cached_cache, memory, 100));
	assert_true(cached_hit(memory + 200, PAGE, 0));
	map_again(memory, PAGE);
	assert_false(cached_hit(memory + 200, PAGE, 0));
	cached_close();
}

/* ---- other monitors ---- */

static void manual__what_it_is_told(void **state)
{
	(void)state;
	memory = cached_pages(LENGTH / PAGE);
	cached_open_as(PINREG_MONITOR_MANUAL);
	assert_int_equal(cached_info().monitor, PINREG_MONITOR_MANUAL);
	struct pinreg_region *region = cached_get(memory, LENGTH, 0, NULL);
	cached_put(cached_get(memory + LENGTH - 1, 1, READ, NULL));
	test_ok(pinreg_cache_invalidate(cached_cache, memory + LENGTH, PAGE)); /* beside it */
	assert_true(cached_hit(memory, LENGTH, 0));
	test_ok(pinreg_cache_invalidate(cached_cache, memory + 3 * PAGE, 1));
	map_again(memory, LENGTH);
	assert_int_equal(tagged_device.live, 1); /* in use */
	assert_false(cached_hit(memory, LENGTH, 0));
	cached_put(region);
	assert_int_equal(tagged_device.live, 1);
	assert_int_equal(cached_info().invalidations, 1);
	test_ok(pinreg_cache_invalidate(cached_cache, NULL, 0));
	assert_int_equal(tagged_device.live, 0);
	cached_close();
}

static void odp__keeps_what_is_paged(void **state)
{
	(void)state;
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_ODP,
		.method = PINREG_METHOD_ODP,
	};
	memory = cached_pages(LENGTH / PAGE);
	cached_open(&opts);
	assert_false(cached_hit(memory, LENGTH, 0));
	map_again(memory, LENGTH);
	assert_true(cached_hit(memory, LENGTH, 0));
	assert_int_equal(cached_info().pinned, 0);
	cached_close();
}

static int no_userfaultfd(const char **step)
{
	*step = "userfaultfd";
	return -EPERM;
}

static void none__keeps_only_what_is_paged(void **state)
{
	(void)state;
	tagged_set_up();
	tagged_sys.unmaps_open = no_userfaultfd;
	cached_open(NULL);
	assert_int_equal(cached_info().monitor, PINREG_MONITOR_ODP);
	assert_int_equal(cached_info().why.os_error, EPERM);
	assert_string_equal(cached_info().why.step, "userfaultfd");
	memory = cached_pages(LENGTH / PAGE);
	expect_unkept(0);
	/* written page cache cannot be pinned */
	hooks_files();
	close(memory_of_a_file((int)test_ok(open(hooks_a, O_RDWR | O_CLOEXEC))));
	assert_false(cached_hit(memory, LENGTH, 0));
	assert_true(cached_hit(memory, LENGTH, 0));
	cached_close();
}

static void none__is_said(void **state)
{
	(void)state;
	struct pinreg_cache_opts opts = { .size = sizeof(opts), .monitor = PINREG_MONITOR_UFFD };
	struct pinreg_cache *cache = NULL;
	struct pinreg_why why;
	cached_domain = tagged_domain(NULL);
	tagged_sys.unmaps_open = no_userfaultfd;
	assert_int_equal(pinreg_cache_open(cached_domain, &opts, &why, &cache), -EOPNOTSUPP);
	assert_string_equal(why.step, "userfaultfd");
	assert_int_equal(why.os_error, EPERM);
	opts.monitor = PINREG_MONITOR_AUTO;
	opts.strict = 1;
	assert_int_equal(pinreg_cache_open(cached_domain, &opts, &why, &cache), -EOPNOTSUPP);
	assert_null(cache);
	tagged_domain_close(cached_domain);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(unkept__system_v),
	cmocka_unit_test(unkept__files),
	cmocka_unit_test(kept__files_that_nobody_truncates),
	cmocka_unit_test(unkept__leased_file),
	cmocka_unit_test(unkept__what_the_application_watches),
	cmocka_unit_test(invalidate__gives_the_range_to_the_application),
	cmocka_unit_test(invalidate__next_to_another),
	cmocka_unit_test(manual__what_it_is_told),
	cmocka_unit_test(odp__keeps_what_is_paged),
	cmocka_unit_test(none__keeps_only_what_is_paged),
	cmocka_unit_test(none__is_said),
};

TEST_MAIN(cases)
