/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_refused.c -- files that cannot be prepared: the reason, and that the file,
 * its directory and the free space of the filesystem are as before.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "support/blocks.h"
#include "support/host.h"
#include "support/rdma.h"
#include "support/spare.h"
#include "support/test.h"

#define FILE_PATH SPARE "/file"
#define USER 1000 /* the lab's plain user */
#define MIB ((uint64_t)1 << 20)

struct before {
	struct stat stat;
	fsblkcnt_t room;
	unsigned int names;
	unsigned char bytes[8192];
};

static unsigned int count_names(void)
{
	unsigned int names = 0;
	DIR *directory = opendir(SPARE);
	assert_non_null(directory);
	while (readdir(directory))
		names++;
	closedir(directory);
	return names;
}

static fsblkcnt_t room_now(void)
{
	struct statvfs fs;
	sync();
	test_ok(statvfs(SPARE, &fs));
	return fs.f_bfree;
}

static void read_file(unsigned char *bytes)
{
	int fd = open(FILE_PATH, O_RDONLY | O_CLOEXEC);
	test_ok(fd);
	assert_int_equal(pread(fd, bytes, 8192, 0), 8192);
	close(fd);
}

/* A file of 8192 bytes, and what is to be the same after it was refused. */
static void make_file(struct before *before)
{
	int fd = open(FILE_PATH, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	test_ok(fd);
	rdma_pattern(before->bytes, 8192, 31);
	assert_int_equal(pwrite(fd, before->bytes, 8192, 0), 8192);
	test_ok(fsync(fd));
	close(fd);
}

static void note(struct before *before)
{
	before->room = room_now();
	before->names = count_names();
	test_ok(stat(FILE_PATH, &before->stat));
	read_file(before->bytes);
}

static void as_before(const struct before *before)
{
	unsigned char bytes[8192];
	struct stat now;
	test_ok(stat(FILE_PATH, &now));
	assert_int_equal(now.st_ino, before->stat.st_ino);
	assert_int_equal(now.st_size, before->stat.st_size);
	assert_int_equal(now.st_blocks, before->stat.st_blocks);
	assert_int_equal(now.st_mode, before->stat.st_mode);
	read_file(bytes);
	assert_memory_equal(bytes, before->bytes, sizeof(bytes));
	assert_int_equal(count_names(), before->names);
	/* xfs frees what it frees a moment later */
	for (unsigned int tries = 0; room_now() != before->room; tries++) {
		if (tries == 150)
			fail_msg("%lu blocks are free, it were %lu", (unsigned long)room_now(),
				 (unsigned long)before->room);
		usleep(100000);
	}
}

/* Refused with these; -errno, where the sentence is to be printed. */
static void refused(const struct pinreg_file_opts *opts, const char *path, int error,
		    enum pinreg_reason reason, struct pinreg_why *why)
{
	struct pinreg_file *file = NULL;
	int status = pinreg_file_open(rdma_domain(NULL), AT_FDCWD, path, opts, why, &file);
	print_message("%s\n", rdma_sentence(why));
	assert_int_equal(status, error);
	assert_int_equal(why->error, error);
	assert_int_equal(why->reason, reason);
	assert_null(file);
}

/* Once an existing file that is to grow, once one that is to be made. */
static void refused_growing_and_new(int error, enum pinreg_reason reason, uint64_t length)
{
	struct pinreg_file_opts opts = { .size = sizeof(opts), .length = length, .create = 1 };
	struct before before;
	struct pinreg_why why;
	make_file(&before);
	note(&before);
	refused(&opts, FILE_PATH, error, reason, &why);
	assert_int_equal(why.wanted, length);
	as_before(&before);
	refused(&opts, SPARE "/new", error, reason, &why);
	as_before(&before);
}

/* More than there is: known before anything is changed. */
static void refused__more_than_there_is(void **state)
{
	(void)state;
	spare_make(100, "ext4 -- dax=always");
	refused_growing_and_new(-ENOSPC, PINREG_REASON_FILE_NO_SPACE, 200 * MIB);
	spare_make(400, "xfs -- dax=always");
	refused_growing_and_new(-ENOSPC, PINREG_REASON_FILE_NO_SPACE, 800 * MIB);
}

/* Blocks that count as free and are kept for root: the kernel says so in the middle. */
static void refused__no_space_in_the_middle(void **state)
{
	(void)state;
	rdma_domain(NULL);
	spare_make(100, "ext4 -m 40 -- dax=always");
	test_ok(seteuid(USER));
	refused_growing_and_new(-ENOSPC, PINREG_REASON_FILE_NO_SPACE, 70 * MIB);
	test_ok(seteuid(0));
}

static void over_quota(void)
{
	rdma_domain(NULL);
	test_ok(seteuid(USER));
	refused_growing_and_new(-EDQUOT, PINREG_REASON_FILE_NO_SPACE, 4 * MIB);
	test_ok(seteuid(0));
}

static void refused__quota_on_ext4(void **state)
{
	(void)state;
	spare_make(400, "ext4 -O quota -- dax=always,usrquota");
	assert_int_equal(host_run("setquota -u %d 0 1024 0 0 " SPARE, USER), 0);
	over_quota();
}

static void refused__quota_on_xfs(void **state)
{
	(void)state;
	spare_make(400, "xfs -- dax=always,uquota");
	assert_int_equal(host_run("xfs_quota -x -c 'limit bhard=1m %d' " SPARE, USER), 0);
	over_quota();
}

static void refused__mounted_read_only(void **state)
{
	(void)state;
	static const char *const what[] = { "ext4 -- dax=always", "xfs -- dax=always" };
	struct pinreg_file_opts opts = { .size = sizeof(opts), .length = MIB, .create = 1 };
	for (size_t i = 0; i < 2; i++) {
		struct before before;
		struct pinreg_why why;
		spare_make(400, what[i]);
		make_file(&before);
		assert_int_equal(host_run("mount -o remount,ro " SPARE), 0);
		note(&before);
		refused(&opts, FILE_PATH, -EROFS, PINREG_REASON_FILE_SYSTEM_CALL, &why);
		assert_int_equal(why.os_error, EROFS);
		refused(&opts, SPARE "/new", -EROFS, PINREG_REASON_FILE_SYSTEM_CALL, &why);
		as_before(&before);
	}
}

static void refused__in_use(void **state)
{
	(void)state;
	static const int ways[] = { O_RDONLY, O_RDWR };
	struct pinreg_file_opts opts = { .size = sizeof(opts), .length = MIB };
	struct before before;
	struct pinreg_why why;
	spare_make(100, "ext4 -- dax=always");
	make_file(&before);
	note(&before);
	for (size_t i = 0; i < 2; i++) {
		int fd = open(FILE_PATH, ways[i] | O_CLOEXEC);
		test_ok(fd);
		refused(&opts, FILE_PATH, -EBUSY, PINREG_REASON_FILE_IN_USE, &why);
		close(fd);
		as_before(&before);
	}
}

static void refused__not_whole_pages(void **state)
{
	(void)state;
	struct pinreg_file_opts opts = { .size = sizeof(opts), .length = MIB + 1 };
	struct before before;
	struct pinreg_why why;
	spare_make(100, "ext4 -- dax=always");
	make_file(&before);
	test_ok(truncate(FILE_PATH, 9000));
	note(&before);
	refused(&opts, FILE_PATH, -EINVAL, PINREG_REASON_FILE_SIZE, &why);
	assert_int_equal(why.wanted, MIB + 1);
	assert_int_equal(why.limit, 4096);
	opts.length = 0; /* the length that it has */
	refused(&opts, FILE_PATH, -EINVAL, PINREG_REASON_FILE_SIZE, &why);
	assert_int_equal(why.wanted, 9000);
	as_before(&before);
}

/* Where the file has its block for an offset, in bytes of the device. */
static uint64_t place_of(uint64_t offset)
{
	union blocks blocks;
	int fd = open(FILE_PATH, O_RDONLY | O_CLOEXEC);
	test_ok(fd);
	blocks_read(fd, offset, 4096, &blocks);
	assert_int_equal(blocks.map.fm_mapped_extents, 1);
	close(fd);
	const struct fiemap_extent *extent = blocks.map.fm_extents;
	return extent->fe_physical + offset - extent->fe_logical;
}

#define SECTORS (100 * MIB / 512)

static int remove_mapped(void **state)
{
	int status = spare_remove(state);
	return status | host_run("dmsetup remove spare 2>/dev/null || "
				 "! dmsetup info spare >/dev/null 2>&1");
}

/*
 * One of the blocks that the file has already, and that hold nothing yet, cannot
 * be written.
 */
static void refused__disk_error(void **state)
{
	(void)state;
	struct pinreg_file_opts opts = { .size = sizeof(opts),
					 .length = MIB,
					 .allow_page_cache = 1 };
	const char *device = spare_device();
	/* nobody else makes its node */
	test_ok(setenv("DM_DISABLE_UDEV", "1", 1));
	struct before before;
	struct pinreg_why why;
	/* an error from the start, behind the filesystem: a table cannot lose DAX later */
	assert_int_equal(host_run("umount " SPARE " 2>/dev/null; printf '0 %lu linear %s 0\\n"
				  "%lu 8 error\\n' | dmsetup create spare && "
				  "mkfs.ext4 -q -F -b 4096 /dev/mapper/spare 100M && "
				  "mount -t ext4 /dev/mapper/spare " SPARE,
				  (unsigned long)SECTORS, device, (unsigned long)SECTORS),
			 0);
	make_file(&before);
	note(&before);
	int fd = open(FILE_PATH, O_RDWR | O_CLOEXEC);
	test_ok(fd);
	test_ok(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, MIB));
	test_ok(fsync(fd));
	close(fd);
	unsigned long bad = place_of(512 << 10) / 512;
	assert_int_equal(host_run("printf '0 %lu linear %s 0\\n%lu 8 error\\n%lu %lu linear %s "
				  "%lu\\n%lu 8 error\\n' | dmsetup load spare && "
				  "dmsetup resume spare",
				  bad, device, bad, bad + 8, SECTORS - bad - 8, device, bad + 8,
				  (unsigned long)SECTORS),
			 0);
	refused(&opts, FILE_PATH, -EIO, PINREG_REASON_FILE_SYSTEM_CALL, &why);
	assert_int_equal(why.os_error, EIO);
	/* also what was allocated behind its end has gone, as by any truncation */
	as_before(&before);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test_teardown(refused__more_than_there_is, spare_remove),
	cmocka_unit_test_teardown(refused__no_space_in_the_middle, spare_remove),
	cmocka_unit_test_teardown(refused__quota_on_ext4, spare_remove),
	cmocka_unit_test_teardown(refused__quota_on_xfs, spare_remove),
	cmocka_unit_test_teardown(refused__mounted_read_only, spare_remove),
	cmocka_unit_test_teardown(refused__in_use, spare_remove),
	cmocka_unit_test_teardown(refused__not_whole_pages, spare_remove),
	cmocka_unit_test_teardown(refused__disk_error, remove_mapped),
};

TEST_MAIN(cases)
