/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_monitor_guest.c -- what a cache's monitor hears of memory that is on files:
 * on persistent memory, in the page cache, and huge pages.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/huge.h"
#include "support/listener.h"
#include "support/runs.h"
#include "support/test.h"
#include "sys/unmaps_abi.h"

#define PAGE LISTENER_PAGE
#define NAME "pinreg-monitor-test"

static struct listener listener;

/* Linux 6.7 and later: every kind of memory can be watched. */
static bool any_kind_will_do(void)
{
	struct uffdio_api api = { .api = UFFD_API, .features = PINREG_UFFD_FEATURE_WP_ASYNC };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	test_ok(fd);
	bool will = !ioctl(fd, UFFDIO_API, &api);
	close(fd);
	return will;
}

static int watch(const char *memory, size_t length)
{
	return pinreg_monitor_watch(&listener.monitor, (uintptr_t)memory, length);
}

/* Four pages of a file in folder; what the kernel tells of them. */
static void expect_file(const char *folder)
{
	char path[PATH_MAX];
	listener_start(&listener, true);
	int fd = file_in(folder, NAME, 4 * PAGE, path, sizeof(path));
	test_ok(unlink(path));
	char *memory = map_or_fail(4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	memset(memory, 1, 4 * PAGE);
	if (!any_kind_will_do()) {
		assert_int_equal(watch(memory, 4 * PAGE), -EINVAL);
		listener_stop(&listener);
		return;
	}
	listener_watch(&listener, memory, 4 * PAGE);
	test_ok(madvise(memory, PAGE, MADV_DONTNEED));
	assert_true(listener_heard(&listener, memory, PAGE));
	test_ok(madvise(memory + PAGE, PAGE, MADV_REMOVE));
	assert_true(listener_heard(&listener, memory + PAGE, PAGE));
	listener_forget(&listener);
	/* what is done to the file is not said: for that there is the lease */
	test_ok(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)PAGE));
	test_ok(ftruncate(fd, (off_t)(2 * PAGE)));
	assert_false(listener_touched(&listener, memory, 4 * PAGE));
	char *moved = mremap(memory, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			     map_or_fail(4 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1));
	assert_ptr_not_equal(moved, MAP_FAILED);
	assert_true(listener_heard(&listener, memory, 4 * PAGE));
	test_ok(munmap(moved, PAGE));
	assert_true(listener_heard(&listener, moved, PAGE));
	close(fd);
	listener_stop(&listener);
}

static void fsdax__ext4(void **state)
{
	(void)state;
	expect_file("/pmem/ext4");
}

static void fsdax__xfs(void **state)
{
	(void)state;
	expect_file("/pmem/xfs");
}

static void pagecache__file(void **state)
{
	(void)state;
	expect_file("/var/tmp");
}

static void devdax__unmapped(void **state)
{
	(void)state;
	glob_t found;
	listener_start(&listener, false);
	assert_int_equal(glob("/dev/dax*", 0, NULL, &found), 0);
	int fd = open(found.gl_pathv[0], O_RDWR | O_CLOEXEC);
	test_ok(fd);
	char *memory = map_or_fail(HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	if (any_kind_will_do()) {
		listener_watch(&listener, memory, HUGE_SIZE);
		test_ok(munmap(memory, HUGE_SIZE));
		assert_true(listener_heard(&listener, memory, HUGE_SIZE));
	} else {
		assert_int_equal(watch(memory, HUGE_SIZE), -EINVAL);
	}
	globfree(&found);
	listener_stop(&listener);
}

static void expect_hugetlb(char *memory, int advice)
{
	listener_start(&listener, true);
	listener_watch(&listener, memory + 100, 1);
	assert_false(listener_watches(&listener, memory + HUGE_SIZE, HUGE_SIZE));
	listener_forget(&listener);
	test_ok(madvise(memory, HUGE_SIZE, advice));
	assert_true(listener_heard(&listener, memory, HUGE_SIZE));
	test_ok(munmap(memory, HUGE_SIZE));
	assert_true(listener_heard(&listener, memory, HUGE_SIZE));
	listener_stop(&listener);
}

static void hugetlb__private(void **state)
{
	(void)state;
	expect_hugetlb(huge_pages(2, MAP_PRIVATE), MADV_DONTNEED);
}

static void hugetlb__shared(void **state)
{
	(void)state;
	expect_hugetlb(huge_pages(2, MAP_SHARED), MADV_REMOVE);
}

static void hugetlb__on_hugetlbfs(void **state)
{
	(void)state;
	char path[PATH_MAX];
	int fd = file_in("/dev/hugepages", NAME, 2 * HUGE_SIZE, path, sizeof(path));
	test_ok(unlink(path));
	char *memory = map_or_fail(2 * HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	expect_hugetlb(memory, MADV_REMOVE);
	close(fd);
}

/* Either it refuses to end another's registration, or (Linux 6.12) it just does so. */
static void unregister__of_another(void **state)
{
	(void)state;
	listener_start(&listener, false);
	int other = listener_other();
	char *memory = listener_pages(NULL, 1);
	test_ok(listener_other_register(other, memory, PAGE));
	int status = pinreg_sys_real.unmaps_unwatch(listener.monitor.fd, (uintptr_t)memory, PAGE);
	assert_true(status == 0 || status == -EINVAL);
	assert_true(listener_other_has(other, memory, PAGE) == (status != 0));
	print_message("UFFDIO_UNREGISTER of another's: %s\n", strerror(-status));
	close(other);
	listener_stop(&listener);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(fsdax__ext4),		 cmocka_unit_test(fsdax__xfs),
	cmocka_unit_test(pagecache__file),	 cmocka_unit_test(devdax__unmapped),
	cmocka_unit_test(hugetlb__private),	 cmocka_unit_test(hugetlb__shared),
	cmocka_unit_test(hugetlb__on_hugetlbfs), cmocka_unit_test(unregister__of_another),
};

TEST_MAIN(cases)
