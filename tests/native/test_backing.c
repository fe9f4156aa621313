/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_backing.c -- what memory is, on real mappings.
 *
 * expect_one() and expect_runs() look twice, by the ioctl and by the text, and
 * want the same answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "support/runs.h"
#include "support/test.h"

#define SHARED PINREG_RUN_SHARED
#define PAGES 4

static void anon__read_write(void **state)
{
	(void)state;
	size_t length = PAGES * page_size();
	char *memory = map_or_fail(length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	struct pinreg_run run = expect_one(memory, length, PINREG_KIND_ANON, READ_WRITE, 0);
	assert_int_equal(run.page_size, page_size());
	assert_int_equal(run.file_size, 0);
	assert_int_equal(run.inode, 0);
}

static void anon__read_only(void **state)
{
	(void)state;
	char *memory = map_or_fail(page_size(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	expect_one(memory, page_size(), PINREG_KIND_ANON, PINREG_PROT_READ, 0);
}

static void anon__no_rights_at_all(void **state)
{
	(void)state;
	char *memory = map_or_fail(page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	expect_one(memory, page_size(), PINREG_KIND_ANON, 0, 0);
}

static void anon__stack(void **state)
{
	(void)state;
	char memory[64] = "";
	expect_one(memory, sizeof(memory), PINREG_KIND_ANON, READ_WRITE, 0);
}

static void anon__heap(void **state)
{
	(void)state;
	char *memory = sbrk((intptr_t)page_size());
	assert_true(memory != (char *)-1);
	expect_one(memory, page_size(), PINREG_KIND_ANON, READ_WRITE, 0);
}

static void anon__private_mapping_of_dev_zero(void **state)
{
	(void)state;
	int fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
	test_ok(fd);
	char *memory = map_or_fail(page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
	expect_one(memory, page_size(), PINREG_KIND_ANON, READ_WRITE, 0);
}

static void shmem__memfd_shared(void **state)
{
	(void)state;
	int fd = memfd_create("a name", MFD_CLOEXEC);
	test_ok(fd);
	test_ok(ftruncate(fd, (off_t)page_size()));
	/* mapped one page beyond its end */
	char *memory = map_or_fail(2 * page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	struct pinreg_run run = expect_one(memory + page_size(), page_size(), PINREG_KIND_SHMEM,
					   READ_WRITE, SHARED);
	assert_int_equal(run.file_offset, page_size());
	assert_int_equal(run.file_size, page_size());
	assert_int_not_equal(run.inode, 0);
}

static void shmem__anonymous_shared(void **state)
{
	(void)state;
	char *memory =
		map_or_fail(page_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
	expect_one(memory, page_size(), PINREG_KIND_SHMEM, READ_WRITE, SHARED);
}

static void shmem__system_v(void **state)
{
	(void)state;
	int id = shmget(IPC_PRIVATE, page_size(), IPC_CREAT | 0600);
	test_ok(id);
	char *memory = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL);
	assert_true(memory != (char *)-1);
	expect_one(memory, page_size(), PINREG_KIND_SHMEM, READ_WRITE, SHARED);
}

static void shmem__file_on_tmpfs(void **state)
{
	(void)state;
	struct statfs filesystem;
	if (statfs("/dev/shm", &filesystem) || filesystem.f_type != TMPFS_MAGIC)
		test_skip("/dev/shm is not a tmpfs");
	char path[PATH_MAX];
	int fd = file_in("/dev/shm", "pinreg-test", 3 * page_size(), path, sizeof(path));
	char *memory = map_or_fail(page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	close(fd);
	struct pinreg_run run =
		expect_one(memory, page_size(), PINREG_KIND_SHMEM, READ_WRITE, SHARED);
	assert_int_equal(run.file_size, 3 * page_size());
	test_ok(unlink(path));
}

static void private_file__memfd(void **state)
{
	(void)state;
	int fd = memfd_create("private", MFD_CLOEXEC);
	test_ok(fd);
	test_ok(ftruncate(fd, (off_t)page_size()));
	char *memory = map_or_fail(page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
	expect_one(memory, page_size(), PINREG_KIND_PRIVATE_FILE, READ_WRITE, 0);
}

static void private_file__own_program(void **state)
{
	(void)state;
	static const char constant[] = "in the read-only data of the executable";
	expect_one(constant, sizeof(constant), PINREG_KIND_PRIVATE_FILE, PINREG_PROT_READ, 0);
}

static void hugetlb__memfd(void **state)
{
	(void)state;
	if (!free_huge_pages())
		test_skip("no free huge page of 2 MiB");
	int fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB);
	test_ok(fd);
	char *memory = map_or_fail(HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	struct pinreg_run run =
		expect_one(memory, HUGE_SIZE, PINREG_KIND_HUGETLB, READ_WRITE, SHARED);
	assert_int_equal(run.page_size, HUGE_SIZE);
}

static void special__vdso(void **state)
{
	(void)state;
	const void *vdso = (const void *)getauxval(AT_SYSINFO_EHDR);
	if (!vdso)
		test_skip("the kernel maps no vdso");
	expect_one(vdso, 64, PINREG_KIND_SPECIAL, PINREG_PROT_READ, 0);
}

static void special__memfd_secret(void **state)
{
	(void)state;
#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif
	int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
	if (fd < 0 && errno == ENOSYS)
		test_skip("memfd_secret() is not available");
	test_ok(fd);
	test_ok(ftruncate(fd, (off_t)page_size()));
	char *memory = map_or_fail(page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	expect_one(memory, page_size(), PINREG_KIND_SPECIAL, READ_WRITE, SHARED);
	close(fd);
	expect_one(memory, page_size(), PINREG_KIND_SPECIAL, READ_WRITE, SHARED);
}

/*
 * The first query maps a page for the library, and the kernel likes to put it
 * into a hole: have that done before there is one.
 */
static void let_the_library_settle(void)
{
	char byte = 0;
	expect_one(&byte, 1, PINREG_KIND_ANON, READ_WRITE, 0);
}

static void runs__hole_in_the_middle(void **state)
{
	(void)state;
	let_the_library_settle();
	size_t page = page_size();
	char *memory =
		map_or_fail(5 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	test_ok(munmap(memory + 2 * page, page));
	const struct expected_run runs[] = {
		{ page - 100, PINREG_KIND_ANON, READ_WRITE, 0 },
		{ page, PINREG_KIND_HOLE, 0, 0 },
		{ page + 7, PINREG_KIND_ANON, READ_WRITE, 0 },
	};
	expect_runs(memory + page + 100, 3 * page - 93, runs, 3);
}

static void runs__hole_first_and_last(void **state)
{
	(void)state;
	let_the_library_settle();
	size_t page = page_size();
	char *memory = map_or_fail(3 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	test_ok(munmap(memory, page));
	test_ok(munmap(memory + 2 * page, page));
	const struct expected_run runs[] = {
		{ page, PINREG_KIND_HOLE, 0, 0 },
		{ page, PINREG_KIND_ANON, PINREG_PROT_READ, 0 },
		{ page, PINREG_KIND_HOLE, 0, 0 },
	};
	expect_runs(memory, 3 * page, runs, 3);
	expect_one(memory, page, PINREG_KIND_HOLE, 0, 0);
}

static void runs__behind_the_last_mapping(void **state)
{
	(void)state;
	const void *kernel = (const void *)(UINTPTR_MAX - 8191);
	expect_one(kernel, 4096, PINREG_KIND_HOLE, 0, 0);
}

static void runs__unaligned_range_is_cut_exactly(void **state)
{
	(void)state;
	size_t page = page_size();
	char *memory = map_or_fail(2 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	expect_one(memory + 1, 1, PINREG_KIND_ANON, PINREG_PROT_READ, 0);
	expect_one(memory + 17, page + 5, PINREG_KIND_ANON, PINREG_PROT_READ, 0);
	expect_one(memory + 2 * page - 1, 1, PINREG_KIND_ANON, PINREG_PROT_READ, 0);
}

static void runs__range_over_many_mappings(void **state)
{
	(void)state;
	enum { MANY = 1001 };
	size_t page = page_size();
	char *memory =
		map_or_fail(MANY * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	static struct expected_run runs[MANY];
	for (size_t i = 0; i < MANY; i++) {
		unsigned int prot = i % 2 ? READ_WRITE : PINREG_PROT_READ;
		if (!(i % 2))
			test_ok(mprotect(memory + i * page, page, PROT_READ));
		runs[i] = (struct expected_run){ page, PINREG_KIND_ANON, prot, 0 };
	}
	expect_runs(memory, MANY * page, runs, MANY);
}

static void runs__mappings_that_look_alike_are_one(void **state)
{
	(void)state;
	size_t page = page_size();
	char *memory =
		map_or_fail(3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	/* the kernel keeps three mappings, and nothing that matters tells them apart */
	test_ok(madvise(memory + page, page, MADV_DONTDUMP));
	expect_one(memory, 3 * page, PINREG_KIND_ANON, READ_WRITE, 0);
}

static void runs__file_offsets_that_do_not_continue_are_two(void **state)
{
	(void)state;
	size_t page = page_size();
	int fd = memfd_create("offsets", MFD_CLOEXEC);
	test_ok(fd);
	test_ok(ftruncate(fd, (off_t)(8 * page)));
	char *memory = map_or_fail(3 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	test_ok(madvise(memory + page, page, MADV_DONTDUMP));
	expect_one(memory, 3 * page, PINREG_KIND_SHMEM, READ_WRITE, SHARED);
	assert_true(mmap(memory + page, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
			 (off_t)(5 * page)) == memory + page);
	const struct expected_run runs[] = {
		{ page, PINREG_KIND_SHMEM, READ_WRITE, SHARED },
		{ page, PINREG_KIND_SHMEM, READ_WRITE, SHARED },
		{ page, PINREG_KIND_SHMEM, READ_WRITE, SHARED },
	};
	expect_runs(memory, 3 * page, runs, 3);
}

static void query__bad_range(void **state)
{
	(void)state;
	struct pinreg_backing *untouched = (struct pinreg_backing *)1;
	struct pinreg_backing *out = untouched;
	char byte = 0;
	assert_int_equal(pinreg_backing_query(&byte, 0, &out), -EINVAL);
	assert_int_equal(pinreg_backing_query(&byte, SIZE_MAX, &out), -EINVAL);
	assert_int_equal(pinreg_backing_query((void *)UINTPTR_MAX, 2, &out), -EINVAL);
	assert_int_equal(pinreg_backing_query(&byte, 1, NULL), -EINVAL);
	assert_ptr_equal(out, untouched);
}

static void get__bad_argument(void **state)
{
	(void)state;
	char byte = 0;
	struct pinreg_backing *backing;
	test_ok(pinreg_backing_query(&byte, 1, &backing));
	struct pinreg_run run = { .size = sizeof(run) };
	assert_int_equal(pinreg_backing_get(NULL, 0, &run), -EINVAL);
	assert_int_equal(pinreg_backing_get(backing, 0, NULL), -EINVAL);
	assert_int_equal(pinreg_backing_get(backing, 1, &run), -EINVAL);
	assert_int_equal(pinreg_backing_get(backing, SIZE_MAX, &run), -EINVAL);
	run.size = sizeof(run.size);
	assert_int_equal(pinreg_backing_get(backing, 0, &run), -EINVAL);
	assert_int_equal(pinreg_backing_count(NULL), 0);
	pinreg_backing_free(backing);
	pinreg_backing_free(NULL);
}

static void get__older_and_newer_caller(void **state)
{
	(void)state;
	char byte = 0;
	struct pinreg_backing *backing;
	test_ok(pinreg_backing_query(&byte, 1, &backing));

	struct pinreg_run older = { .size = offsetof(struct pinreg_run, inode), .inode = 7 };
	test_ok(pinreg_backing_get(backing, 0, &older));
	assert_int_equal(older.length, 1);
	assert_int_equal(older.inode, 7);

	struct {
		struct pinreg_run run;
		uint64_t unheard_of;
	} newer = { .run.size = sizeof(newer), .unheard_of = 7 };
	test_ok(pinreg_backing_get(backing, 0, &newer.run));
	assert_int_equal(newer.run.length, 1);
	assert_int_equal(newer.unheard_of, 0);
	pinreg_backing_free(backing);
}

static void kind_name__no_kind(void **state)
{
	(void)state;
	assert_string_equal(pinreg_kind_name(PINREG_KIND_FSDAX), "fsdax");
	assert_string_equal(pinreg_kind_name(PINREG_KIND_UNKNOWN_FILE), "unknown-file");
	assert_string_equal(pinreg_kind_name(PINREG_KIND_HOLE), "hole");
	assert_string_equal(pinreg_kind_name(PINREG_KIND_NONE), "none");
	assert_string_equal(pinreg_kind_name((enum pinreg_kind)11), "?");
	assert_string_equal(pinreg_kind_name((enum pinreg_kind) - 1), "?");
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(anon__read_write),
	cmocka_unit_test(anon__read_only),
	cmocka_unit_test(anon__no_rights_at_all),
	cmocka_unit_test(anon__stack),
	cmocka_unit_test(anon__heap),
	cmocka_unit_test(anon__private_mapping_of_dev_zero),
	cmocka_unit_test(shmem__memfd_shared),
	cmocka_unit_test(shmem__anonymous_shared),
	cmocka_unit_test(shmem__system_v),
	cmocka_unit_test(shmem__file_on_tmpfs),
	cmocka_unit_test(private_file__memfd),
	cmocka_unit_test(private_file__own_program),
	cmocka_unit_test(hugetlb__memfd),
	cmocka_unit_test(special__vdso),
	cmocka_unit_test(special__memfd_secret),
	cmocka_unit_test(runs__hole_in_the_middle),
	cmocka_unit_test(runs__hole_first_and_last),
	cmocka_unit_test(runs__behind_the_last_mapping),
	cmocka_unit_test(runs__unaligned_range_is_cut_exactly),
	cmocka_unit_test(runs__range_over_many_mappings),
	cmocka_unit_test(runs__mappings_that_look_alike_are_one),
	cmocka_unit_test(runs__file_offsets_that_do_not_continue_are_two),
	cmocka_unit_test(query__bad_range),
	cmocka_unit_test(get__bad_argument),
	cmocka_unit_test(get__older_and_newer_caller),
	cmocka_unit_test(kind_name__no_kind),
};

TEST_MAIN(cases)
