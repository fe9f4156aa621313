/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_backing_guest.c -- memory that only a machine with persistent memory,
 * huge pages and file systems to mount has.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <linux/memfd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/runs.h"
#include "support/test.h"

#define SHARED PINREG_RUN_SHARED
#define NAME "pinreg-backing-test"

/* A file of four pages in folder, mapped; it is deleted at the end. */
static char *map_file_in(const char *folder, int prot, int flags)
{
	char path[PATH_MAX];
	int fd = file_in(folder, NAME, 4 * page_size(), path, sizeof(path));
	char *memory = map_or_fail(2 * page_size(), prot, flags, fd);
	close(fd);
	return memory;
}

static void delete_file_in(const char *folder)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/" NAME, folder);
	test_ok(unlink(path));
}

static void expect_file(const char *folder, int flags, enum pinreg_kind kind)
{
	char *memory = map_file_in(folder, PROT_READ | PROT_WRITE, flags);
	/* every private file here is one in DAX state */
	struct pinreg_run run = expect_one(memory, 2 * page_size(), kind, READ_WRITE,
					   flags == MAP_PRIVATE ? PINREG_RUN_PRIVATE_DAX : SHARED);
	assert_int_equal(run.file_size, 4 * page_size());
	delete_file_in(folder);
}

static void fsdax__ext4(void **state)
{
	(void)state;
	expect_file("/pmem/ext4", MAP_SHARED, PINREG_KIND_FSDAX);
}

static void fsdax__xfs(void **state)
{
	(void)state;
	expect_file("/pmem/xfs", MAP_SHARED, PINREG_KIND_FSDAX);
}

static void fsdax__map_sync(void **state)
{
	(void)state;
	expect_file("/pmem/ext4", MAP_SHARED_VALIDATE | MAP_SYNC, PINREG_KIND_FSDAX);
	expect_file("/pmem/xfs", MAP_SHARED_VALIDATE | MAP_SYNC, PINREG_KIND_FSDAX);
}

static void fsdax__private_mapping(void **state)
{
	(void)state;
	expect_file("/pmem/ext4", MAP_PRIVATE, PINREG_KIND_PRIVATE_FILE);
	expect_file("/pmem/xfs", MAP_PRIVATE, PINREG_KIND_PRIVATE_FILE);
}

static void fsdax__read_only(void **state)
{
	(void)state;
	char *memory = map_file_in("/pmem/xfs", PROT_READ, MAP_SHARED);
	expect_one(memory, page_size(), PINREG_KIND_FSDAX, PINREG_PROT_READ, SHARED);
	delete_file_in("/pmem/xfs");
}

/* Root can still follow the mapping to its file. */
static void fsdax__deleted(void **state)
{
	(void)state;
	char *memory = map_file_in("/pmem/ext4", PROT_READ | PROT_WRITE, MAP_SHARED);
	delete_file_in("/pmem/ext4");
	expect_one(memory, page_size(), PINREG_KIND_FSDAX, READ_WRITE, SHARED);
}

static void devdax__shared(void **state)
{
	(void)state;
	glob_t found;
	assert_int_equal(glob("/dev/dax*", 0, NULL, &found), 0);
	int fd = open(found.gl_pathv[0], O_RDWR | O_CLOEXEC);
	test_ok(fd);
	char *memory = map_or_fail(HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	struct pinreg_run run =
		expect_one(memory, HUGE_SIZE, PINREG_KIND_DEVDAX, READ_WRITE, SHARED);
	assert_int_not_equal(run.page_size, 0);
	globfree(&found);
}

static void need_huge_pages(void)
{
	if (!free_huge_pages())
		test_skip("no free huge page of 2 MiB");
}

static void hugetlb__private_anonymous(void **state)
{
	(void)state;
	need_huge_pages();
	char *memory = map_or_fail(HUGE_SIZE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1);
	struct pinreg_run run = expect_one(memory, HUGE_SIZE, PINREG_KIND_HUGETLB, READ_WRITE, 0);
	assert_int_equal(run.page_size, HUGE_SIZE);
}

static void hugetlb__shared_anonymous(void **state)
{
	(void)state;
	need_huge_pages();
	char *memory = map_or_fail(HUGE_SIZE, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1);
	expect_one(memory, HUGE_SIZE, PINREG_KIND_HUGETLB, READ_WRITE, SHARED);
}

static int huge_memfd(void)
{
	int fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB);
	test_ok(fd);
	test_ok(ftruncate(fd, (off_t)HUGE_SIZE));
	return fd;
}

static void hugetlb__memfd_shared(void **state)
{
	(void)state;
	need_huge_pages();
	char *memory = map_or_fail(HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, huge_memfd());
	struct pinreg_run run =
		expect_one(memory, HUGE_SIZE, PINREG_KIND_HUGETLB, READ_WRITE, SHARED);
	assert_int_equal(run.page_size, HUGE_SIZE);
	assert_int_equal(run.file_size, HUGE_SIZE);
}

static void hugetlb__memfd_private(void **state)
{
	(void)state;
	need_huge_pages();
	char *memory = map_or_fail(HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, huge_memfd());
	expect_one(memory, HUGE_SIZE, PINREG_KIND_PRIVATE_FILE, READ_WRITE, 0);
}

static void hugetlb__file_on_hugetlbfs(void **state)
{
	(void)state;
	need_huge_pages();
	char path[PATH_MAX];
	int fd = file_in("/dev/hugepages", NAME, HUGE_SIZE, path, sizeof(path));
	char *memory = map_or_fail(HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	struct pinreg_run run =
		expect_one(memory, HUGE_SIZE, PINREG_KIND_HUGETLB, READ_WRITE, SHARED);
	assert_int_equal(run.page_size, HUGE_SIZE);
	test_ok(unlink(path));
}

/*
 * A tmpfs at /mnt that only this process sees: it and what is mounted in it go
 * away with the process.
 */
static void mount_scratch(void)
{
	test_ok(unshare(CLONE_NEWNS));
	test_ok(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	test_ok(mount("scratch", "/mnt", "tmpfs", 0, NULL));
	test_ok(mkdir("/mnt/merged", 0700));
}

/* base: where the lower and the upper folder are; ends at /mnt/merged. */
static void mount_overlay(const char *base)
{
	char path[PATH_MAX];
	char options[4 * PATH_MAX];
	const char *const folders[] = { "lower", "upper", "work" };
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", base, folders[i]);
		if (mkdir(path, 0700) && errno != EEXIST)
			test_ok(-1);
	}
	snprintf(path, sizeof(path), "%s/lower/below", base);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	test_ok(fd);
	test_ok(ftruncate(fd, (off_t)page_size()));
	close(fd);
	snprintf(options, sizeof(options), "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work",
		 base, base, base);
	test_ok(mount("overlay", "/mnt/merged", "overlay", 0, options));
}

static void expect_below(enum pinreg_kind kind)
{
	int fd = open("/mnt/merged/below", O_RDONLY | O_CLOEXEC);
	test_ok(fd);
	char *memory = map_or_fail(page_size(), PROT_READ, MAP_SHARED, fd);
	expect_one(memory, page_size(), kind, PINREG_PROT_READ, SHARED);
}

static void overlay__over_tmpfs(void **state)
{
	(void)state;
	mount_scratch();
	mount_overlay("/mnt");
	expect_file("/mnt/merged", MAP_SHARED, PINREG_KIND_PAGECACHE);
	expect_below(PINREG_KIND_PAGECACHE);
}

/* The mapping is that of the file below, and so is its DAX state. */
static void overlay__over_fsdax(void **state)
{
	(void)state;
	mount_scratch();
	const char *base = "/pmem/ext4/" NAME "-overlay";
	if (mkdir(base, 0700) && errno != EEXIST)
		test_ok(-1);
	mount_overlay(base);
	expect_file("/mnt/merged", MAP_SHARED, PINREG_KIND_FSDAX);
	expect_below(PINREG_KIND_FSDAX);
}

/* Each subvolume has a device number in stat() that the map does not show. */
static void btrfs__subvolume(void **state)
{
	(void)state;
	mount_scratch();
	assert_int_equal(
		system("modprobe loop && truncate -s 256M /mnt/image && mkfs.btrfs -q /mnt/image &&"
		       " mount -o loop /mnt/image /mnt/merged &&"
		       " btrfs -q subvolume create /mnt/merged/volume"),
		0);
	expect_file("/mnt/merged", MAP_SHARED, PINREG_KIND_PAGECACHE);
	expect_file("/mnt/merged/volume", MAP_SHARED, PINREG_KIND_PAGECACHE);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(fsdax__ext4),
	cmocka_unit_test(fsdax__xfs),
	cmocka_unit_test(fsdax__map_sync),
	cmocka_unit_test(fsdax__private_mapping),
	cmocka_unit_test(fsdax__read_only),
	cmocka_unit_test(fsdax__deleted),
	cmocka_unit_test(devdax__shared),
	cmocka_unit_test(hugetlb__private_anonymous),
	cmocka_unit_test(hugetlb__shared_anonymous),
	cmocka_unit_test(hugetlb__memfd_shared),
	cmocka_unit_test(hugetlb__memfd_private),
	cmocka_unit_test(hugetlb__file_on_hugetlbfs),
	cmocka_unit_test(overlay__over_tmpfs),
	cmocka_unit_test(overlay__over_fsdax),
	cmocka_unit_test(btrfs__subvolume),
};

TEST_MAIN(cases)
