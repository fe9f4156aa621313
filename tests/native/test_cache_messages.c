/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_messages.c -- what a cache's monitor hears of, and of what it does not.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/host.h"
#include "support/huge.h"
#include "support/listener.h"
#include "support/test.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

#define PAGE LISTENER_PAGE
#define RW (PROT_READ | PROT_WRITE)

static struct listener listener;

static char *map(size_t length, int flags, int fd)
{
	char *memory = mmap(NULL, length, RW, flags, fd, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

/* Where so many pages can be mapped: nothing is there. */
static char *free_place(size_t pages)
{
	char *place = listener_pages(NULL, pages);
	test_ok(munmap(place, pages * PAGE));
	return place;
}

static void unmap__whole(void **state)
{
	(void)state;
	listener_start(&listener, false);
	char *memory = listener_pages(&listener, 4);
	test_ok(munmap(memory, 4 * PAGE));
	assert_true(listener_heard(&listener, memory, 4 * PAGE));
	listener_stop(&listener);
}

/* What is left of it goes on being watched. */
static void unmap__first_last_and_middle(void **state)
{
	(void)state;
	listener_start(&listener, false);
	char *memory = listener_pages(&listener, 8);
	test_ok(munmap(memory, PAGE));
	assert_true(listener_heard(&listener, memory, PAGE));
	test_ok(munmap(memory + 7 * PAGE, PAGE));
	assert_true(listener_heard(&listener, memory + 7 * PAGE, PAGE));
	test_ok(munmap(memory + 3 * PAGE, 2 * PAGE));
	assert_true(listener_heard(&listener, memory + 3 * PAGE, 2 * PAGE));
	assert_true(listener_watches(&listener, memory + PAGE, PAGE));
	assert_true(listener_watches(&listener, memory + 6 * PAGE, PAGE));
	listener_stop(&listener);
}

/* Pages are watched as a whole, and no others. */
static void watch__pages_that_are_touched(void **state)
{
	(void)state;
	listener_start(&listener, false);
	char *memory = listener_pages(NULL, 4);
	listener_watch(&listener, memory + PAGE + 100, PAGE);
	assert_false(listener_watches(&listener, memory, PAGE));
	assert_true(listener_watches(&listener, memory + PAGE, PAGE));
	assert_true(listener_watches(&listener, memory + 2 * PAGE, PAGE));
	assert_false(listener_watches(&listener, memory + 3 * PAGE, PAGE));
	listener_watch(&listener, memory, 4 * PAGE); /* again, and more */
	assert_true(listener_watches(&listener, memory + 3 * PAGE, PAGE));
	listener_stop(&listener);
}

static void watch__nothing_is_mapped(void **state)
{
	(void)state;
	listener_start(&listener, false);
	const char *place = free_place(1);
	assert_int_equal(pinreg_monitor_watch(&listener.monitor, (uintptr_t)place, PAGE), -EINVAL);
	assert_int_equal(pinreg_monitor_watch(&listener.monitor, UINT64_MAX - PAGE, PAGE), -EINVAL);
	listener_stop(&listener);
}

static void map_fixed__over_it(void **state)
{
	(void)state;
	listener_start(&listener, false);
	char *memory = listener_pages(&listener, 4);
	assert_ptr_equal(
		mmap(memory + PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		memory + PAGE);
	assert_true(listener_heard(&listener, memory + PAGE, PAGE));
	/* and what came in its place is not watched */
	assert_false(listener_watches(&listener, memory + PAGE, PAGE));
	listener_stop(&listener);
}

static void mremap__grows_and_moves(void **state)
{
	(void)state;
	listener_start(&listener, false);
	char *memory = listener_pages(NULL, 3); /* the last page is in the way */
	test_ok(mprotect(memory + 2 * PAGE, PAGE, PROT_NONE));
	listener_watch(&listener, memory, 2 * PAGE);
	char *moved = mremap(memory, 2 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
	assert_ptr_not_equal(moved, MAP_FAILED);
	assert_ptr_not_equal(moved, memory);
	assert_true(listener_heard(&listener, memory, 2 * PAGE));
	assert_true(listener_heard(&listener, moved, 2 * PAGE));
	/* it is watched where it went, with what it grew by */
	assert_true(listener_watches(&listener, moved, PAGE));
	assert_true(listener_watches(&listener, moved + 7 * PAGE, PAGE));
	listener_stop(&listener);
}

static void mremap__shrinks(void **state)
{
	(void)state;
	listener_start(&listener, false);
	char *memory = listener_pages(&listener, 4);
	assert_ptr_equal(mremap(memory, 4 * PAGE, PAGE, 0), memory);
	assert_true(listener_heard(&listener, memory + PAGE, 3 * PAGE));
	assert_false(listener_touched(&listener, memory, PAGE));
	listener_stop(&listener);
}

static void mremap__over_another(void **state)
{
	(void)state;
	listener_start(&listener, false);
	char *memory = listener_pages(&listener, 2);
	char *other = listener_pages(&listener, 2);
	int how = MREMAP_MAYMOVE | MREMAP_FIXED;
	assert_ptr_equal(mremap(memory, 2 * PAGE, 2 * PAGE, how, other), other);
	assert_true(listener_heard(&listener, memory, 2 * PAGE));
	assert_true(listener_heard(&listener, other, 2 * PAGE));
	listener_stop(&listener);
}

/* Its pages move, and it stays: empty. */
static void mremap__without_unmapping(void **state)
{
	(void)state;
	listener_start(&listener, false);
	char *memory = listener_pages(&listener, 2);
	char *moved = mremap(memory, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	assert_ptr_not_equal(moved, MAP_FAILED);
	assert_int_equal(moved[0], 1);
	assert_int_equal(memory[0], 0);
	assert_true(listener_heard(&listener, memory, 2 * PAGE));
	listener_stop(&listener);
}

/* What is watched and what is not are two mappings, and mremap() takes one. */
static void mremap__of_what_is_watched_in_part(void **state)
{
	(void)state;
	listener_start(&listener, false);
	char *memory = listener_pages(NULL, 4);
	listener_watch(&listener, memory, PAGE);
	assert_ptr_equal(mremap(memory, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE), MAP_FAILED);
	assert_int_equal(errno, EFAULT);
	pinreg_monitor_unwatch(&listener.monitor, (uintptr_t)memory, PAGE);
	assert_ptr_not_equal(mremap(memory, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE), MAP_FAILED);
	listener_stop(&listener);
}

static void madvise__dontneed(void **state)
{
	(void)state;
	listener_start(&listener, false);
	char *memory = listener_pages(&listener, 4);
	test_ok(madvise(memory + PAGE, 2 * PAGE, MADV_DONTNEED));
	assert_int_equal(memory[PAGE], 0);
	assert_true(listener_heard(&listener, memory + PAGE, 2 * PAGE));
	listener_stop(&listener);
}

/*
 * Nothing would have to be said: pages that a device has pinned are not taken until the
 * pin ends, so the mapping keeps them. The kernel says it all the same.
 */
static void madvise__free(void **state)
{
	(void)state;
	listener_start(&listener, false);
	char *memory = listener_pages(&listener, 4);
	test_ok(madvise(memory, PAGE, MADV_FREE));
	assert_true(listener_heard(&listener, memory, PAGE));
	listener_stop(&listener);
}

static void madvise__remove(void **state)
{
	(void)state;
	listener_start(&listener, false);
	char *memory = map(4 * PAGE, MAP_SHARED | MAP_ANONYMOUS, -1);
	memset(memory, 1, 4 * PAGE);
	listener_watch(&listener, memory, 4 * PAGE);
	test_ok(madvise(memory + PAGE, PAGE, MADV_REMOVE));
	assert_int_equal(memory[PAGE], 0);
	assert_true(listener_heard(&listener, memory + PAGE, PAGE));
	listener_stop(&listener);
}

/* Nothing in here may need the heap to grow. */
static void brk__shrinks(void **state)
{
	(void)state;
	listener_start(&listener, false);
	char *end = sbrk(0);
	char *memory = (char *)(((uintptr_t)end + PAGE - 1) / PAGE * PAGE);
	test_ok(brk(memory + 4 * PAGE));
	memset(memory, 1, 4 * PAGE);
	listener_watch(&listener, memory, 4 * PAGE);
	test_ok(brk(memory + 2 * PAGE));
	assert_true(listener_heard(&listener, memory + 2 * PAGE, 2 * PAGE));
	test_ok(brk(end));
	assert_true(listener_touched(&listener, memory, 2 * PAGE));
	listener_stop(&listener);
}

static void memfd__unmapped_and_punched(void **state)
{
	(void)state;
	listener_start(&listener, false);
	int fd = memfd_create("listener", MFD_CLOEXEC);
	test_ok(fd);
	test_ok(ftruncate(fd, (off_t)(4 * PAGE)));
	char *memory = map(4 * PAGE, MAP_SHARED, fd);
	listener_watch(&listener, memory, 4 * PAGE);
	test_ok(madvise(memory, PAGE, MADV_REMOVE));
	assert_true(listener_heard(&listener, memory, PAGE));
	listener_forget(&listener);
	/* by the descriptor it is done in silence */
	test_ok(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)PAGE));
	test_ok(ftruncate(fd, 0));
	assert_false(listener_touched(&listener, memory, 4 * PAGE));
	test_ok(munmap(memory, 4 * PAGE));
	assert_true(listener_heard(&listener, memory, 4 * PAGE));
	close(fd);
	listener_stop(&listener);
}

/* Huge pages are watched as a whole, whatever part is asked for. */
static void hugetlb__unmapped_and_emptied(void **state)
{
	(void)state;
	listener_start(&listener, false);
	char *memory = huge_pages(3, MAP_PRIVATE);
	listener_watch(&listener, memory + HUGE_PAGE + 100, HUGE_PAGE);
	assert_false(listener_watches(&listener, memory, HUGE_PAGE));
	assert_true(listener_watches(&listener, memory + HUGE_PAGE, HUGE_PAGE));
	test_ok(munmap(memory + 2 * HUGE_PAGE, HUGE_PAGE));
	assert_true(listener_heard(&listener, memory + 2 * HUGE_PAGE, HUGE_PAGE));
	/* by a part: no; as a whole: yes */
	pinreg_monitor_unwatch(&listener.monitor, (uintptr_t)memory + HUGE_PAGE, PAGE);
	assert_true(listener_watches(&listener, memory + HUGE_PAGE, HUGE_PAGE));
	pinreg_monitor_unwatch(&listener.monitor, (uintptr_t)memory + HUGE_PAGE, HUGE_PAGE);
	assert_false(listener_watches(&listener, memory + HUGE_PAGE, HUGE_PAGE));
	listener_stop(&listener);
}

/* ---- what is not heard of ---- */

static void silent__shmdt(void **state)
{
	(void)state;
	listener_start(&listener, false);
	int id = shmget(IPC_PRIVATE, 4 * PAGE, 0600);
	test_ok(id);
	char *memory = shmat(id, NULL, 0);
	test_ok(shmctl(id, IPC_RMID, NULL));
	assert_ptr_not_equal(memory, MAP_FAILED);
	/* Linux 6.1 does not even take it */
	int status = pinreg_monitor_watch(&listener.monitor, (uintptr_t)memory, 4 * PAGE);
	assert_true(status == 0 || status == -EINVAL);
	assert_true(listener_watches(&listener, memory, PAGE) == !status);
	listener_forget(&listener);
	test_ok(shmdt(memory));
	assert_false(listener_touched(&listener, memory, 4 * PAGE));
	listener_stop(&listener);
}

static void silent__guard_pages(void **state)
{
	(void)state;
	listener_start(&listener, false);
	char *memory = listener_pages(&listener, 2);
	if (madvise(memory, PAGE, MADV_GUARD_INSTALL))
		test_skip("MADV_GUARD_INSTALL: %s", strerror(errno));
	/* its page is gone */
	test_ok(madvise(memory, PAGE, MADV_GUARD_INSTALL + 1));
	assert_int_equal(memory[0], 0);
	assert_false(listener_touched(&listener, memory, 2 * PAGE));
	listener_stop(&listener);
}

/* Shared memory that is turned round by the one call that nobody uses any more. */
static void silent__remap_file_pages(void **state)
{
	(void)state;
	listener_start(&listener, false);
	char *memory = map(2 * PAGE, MAP_SHARED | MAP_ANONYMOUS, -1);
	memset(memory, 1, PAGE);
	memset(memory + PAGE, 2, PAGE);
	listener_watch(&listener, memory, 2 * PAGE);
	test_ok(syscall(SYS_remap_file_pages, memory, PAGE, 0, 1, 0));
	assert_int_equal(memory[0], 2);
	assert_false(listener_touched(&listener, memory, 2 * PAGE));
	listener_stop(&listener);
}

/* A child has its parent's shared memory, and can empty it. */
static void silent__emptied_by_a_child(void **state)
{
	(void)state;
	listener_start(&listener, false);
	char *memory = map(2 * PAGE, MAP_SHARED | MAP_ANONYMOUS, -1);
	memset(memory, 1, 2 * PAGE);
	listener_watch(&listener, memory, 2 * PAGE);
	pid_t child = host_fork();
	if (!child)
		_exit(madvise(memory, PAGE, MADV_REMOVE) != 0);
	assert_int_equal(host_wait(child), 0);
	assert_int_equal(memory[0], 0);
	assert_false(listener_touched(&listener, memory, 2 * PAGE));
	listener_stop(&listener);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(unmap__whole),
	cmocka_unit_test(unmap__first_last_and_middle),
	cmocka_unit_test(watch__pages_that_are_touched),
	cmocka_unit_test(watch__nothing_is_mapped),
	cmocka_unit_test(map_fixed__over_it),
	cmocka_unit_test(mremap__grows_and_moves),
	cmocka_unit_test(mremap__shrinks),
	cmocka_unit_test(mremap__over_another),
	cmocka_unit_test(mremap__without_unmapping),
	cmocka_unit_test(mremap__of_what_is_watched_in_part),
	cmocka_unit_test(madvise__dontneed),
	cmocka_unit_test(madvise__free),
	cmocka_unit_test(madvise__remove),
	cmocka_unit_test(brk__shrinks),
	cmocka_unit_test(memfd__unmapped_and_punched),
	cmocka_unit_test(hugetlb__unmapped_and_emptied),
	cmocka_unit_test(silent__shmdt),
	cmocka_unit_test(silent__guard_pages),
	cmocka_unit_test(silent__remap_file_pages),
	cmocka_unit_test(silent__emptied_by_a_child),
};

TEST_MAIN(cases)
