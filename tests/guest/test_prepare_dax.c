/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_prepare_dax.c -- files on filesystems where each inode decides about DAX, and
 * large extents on xfs.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/host.h"
#include "support/spare.h"
#include "support/test.h"

#define LENGTH (8u << 20)
#define FILE_PATH SPARE "/file"

static const char *const by_inode[] = {
	"ext4 -- dax=inode",
	"xfs -d su=2m,sw=1 -- dax=inode",
};
#define FILESYSTEMS (sizeof(by_inode) / sizeof(by_inode[0]))

static const struct pinreg_file_opts dax_only = {
	.size = sizeof(dax_only),
	.length = LENGTH,
	.create = 1,
};

static struct fsxattr flags_of(const char *path)
{
	struct fsxattr flags;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	test_ok(fd);
	test_ok(ioctl(fd, FS_IOC_FSGETXATTR, &flags));
	close(fd);
	return flags;
}

static void set_flags(const char *path, const struct fsxattr *flags)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	test_ok(fd);
	test_ok(ioctl(fd, FS_IOC_FSSETXATTR, flags));
	close(fd);
}

static int try(const struct pinreg_file_opts *opts, struct pinreg_file_info *info,
	       struct pinreg_why *why)
{
	struct pinreg_domain *domain = host_domain(0);
	struct pinreg_file *file = NULL;
	info->size = sizeof(*info);
	int status = pinreg_file_open(domain, AT_FDCWD, FILE_PATH, opts, why, &file);
	if (!status) {
		test_ok(pinreg_file_query(file, info));
		test_ok(pinreg_file_close(file));
	}
	host_domain_close(domain);
	return status;
}

/* It has to be prepared, as DAX. */
static void prepare(const struct pinreg_file_opts *opts)
{
	struct pinreg_file_info info;
	struct pinreg_why why;
	char text[512];
	if (try(opts, &info, &why)) {
		pinreg_why_describe(&why, text, sizeof(text));
		fail_msg("%s", text);
	}
	assert_int_equal(info.dax, 1);
	assert_int_equal(info.map_sync, 1);
	assert_int_equal(info.zeroed, LENGTH);
}

static void inode__new_file_becomes_dax(void **state)
{
	(void)state;
	for (size_t i = 0; i < FILESYSTEMS; i++) {
		spare_make(1024, by_inode[i]);
		prepare(&dax_only);
		assert_true(flags_of(FILE_PATH).fsx_xflags & FS_XFLAG_DAX);
	}
}

static void inode__empty_file_becomes_dax(void **state)
{
	(void)state;
	for (size_t i = 0; i < FILESYSTEMS; i++) {
		spare_make(1024, by_inode[i]);
		assert_int_equal(host_run(": > " FILE_PATH), 0);
		prepare(&dax_only);
		assert_true(flags_of(FILE_PATH).fsx_xflags & FS_XFLAG_DAX);
	}
}

static void inode__flag_is_inherited(void **state)
{
	(void)state;
	for (size_t i = 0; i < FILESYSTEMS; i++) {
		spare_make(1024, by_inode[i]);
		struct fsxattr flags = flags_of(SPARE);
		flags.fsx_xflags |= FS_XFLAG_DAX;
		set_flags(SPARE, &flags);
		prepare(&dax_only);
		assert_true(flags_of(FILE_PATH).fsx_xflags & FS_XFLAG_DAX);
	}
}

static void inode__content_stays_where_it_is(void **state)
{
	(void)state;
	struct pinreg_file_info info;
	struct pinreg_why why;
	for (size_t i = 0; i < FILESYSTEMS; i++) {
		spare_make(1024, by_inode[i]);
		host_file(FILE_PATH, 4);
		assert_int_equal(try(&dax_only, &info, &why), -EOPNOTSUPP);
		assert_int_equal(why.reason, PINREG_REASON_FILE_NOT_DAX);
		assert_false(flags_of(FILE_PATH).fsx_xflags & FS_XFLAG_DAX);
	}
}

static void inode__flag_of_a_file_in_use_is_taken_back(void **state)
{
	(void)state;
	struct pinreg_file_info info;
	struct pinreg_why why;
	for (size_t i = 0; i < FILESYSTEMS; i++) {
		spare_make(1024, by_inode[i]);
		int fd = open(FILE_PATH, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		assert_true(try(&dax_only, &info, &why) < 0);
		assert_false(flags_of(FILE_PATH).fsx_xflags & FS_XFLAG_DAX);
		close(fd);
	}
}

static void never__is_refused_and_nothing_is_left(void **state)
{
	(void)state;
	struct pinreg_file_info info;
	struct pinreg_why why;
	spare_make(1024, "ext4 -- dax=never");
	assert_int_equal(try(&dax_only, &info, &why), -EOPNOTSUPP);
	assert_int_equal(why.reason, PINREG_REASON_FILE_NOT_DAX);
	assert_int_equal(access(FILE_PATH, F_OK), -1);
}

static struct pinreg_file_report blocks_of(const char *path)
{
	struct pinreg_file_report report = { .size = sizeof(report) };
	test_ok(pinreg_file_verify(AT_FDCWD, path, NULL, NULL, NULL, &report));
	return report;
}

static void hint__makes_huge_pages_possible(void **state)
{
	(void)state;
	spare_make(1024, "xfs -d su=2m,sw=1 -- dax=always");
	/* what is there already lies anyhow */
	host_file(SPARE "/other", 3);
	prepare(&dax_only);
	struct fsxattr flags = flags_of(FILE_PATH);
	assert_true(flags.fsx_xflags & FS_XFLAG_EXTSIZE);
	assert_int_equal(flags.fsx_extsize, 2u << 20);
	assert_int_equal(blocks_of(FILE_PATH).huge, LENGTH);
}

static void hint__of_somebody_is_kept(void **state)
{
	(void)state;
	spare_make(1024, "xfs -- dax=always");
	assert_int_equal(host_run(": > " FILE_PATH), 0);
	struct fsxattr flags = flags_of(FILE_PATH);
	flags.fsx_xflags |= FS_XFLAG_EXTSIZE;
	flags.fsx_extsize = 65536;
	set_flags(FILE_PATH, &flags);
	prepare(&dax_only);
	assert_int_equal(flags_of(FILE_PATH).fsx_extsize, 65536);
}

static int cancel(void *context, uint64_t done, uint64_t total)
{
	(void)context;
	(void)done;
	(void)total;
	return 1;
}

static void cancelled__leaves_size_flags_and_blocks(void **state)
{
	(void)state;
	struct pinreg_file_info info;
	struct pinreg_why why;
	struct stat now;
	struct pinreg_file_opts opts = dax_only;
	opts.length = 64u << 20;
	opts.progress = cancel;
	for (size_t i = 0; i < FILESYSTEMS; i++) {
		spare_make(1024, by_inode[i]);
		assert_int_equal(try(&opts, &info, &why), -ECANCELED);
		assert_int_equal(why.reason, PINREG_REASON_FILE_CANCELLED);
		assert_int_equal(access(FILE_PATH, F_OK), -1);

		assert_int_equal(host_run(": > " FILE_PATH), 0);
		struct fsxattr before = flags_of(FILE_PATH);
		assert_int_equal(try(&opts, &info, &why), -ECANCELED);
		struct fsxattr after = flags_of(FILE_PATH);
		/* xfs remembers for ever that something was preallocated */
		assert_int_equal(after.fsx_xflags & ~(unsigned int)FS_XFLAG_PREALLOC,
				 before.fsx_xflags);
		assert_int_equal(after.fsx_extsize, before.fsx_extsize);
		test_ok(stat(FILE_PATH, &now));
		assert_int_equal(now.st_size, 0);
		assert_int_equal(now.st_blocks, 0);
	}
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test_teardown(inode__new_file_becomes_dax, spare_remove),
	cmocka_unit_test_teardown(inode__empty_file_becomes_dax, spare_remove),
	cmocka_unit_test_teardown(inode__flag_is_inherited, spare_remove),
	cmocka_unit_test_teardown(inode__content_stays_where_it_is, spare_remove),
	cmocka_unit_test_teardown(inode__flag_of_a_file_in_use_is_taken_back, spare_remove),
	cmocka_unit_test_teardown(never__is_refused_and_nothing_is_left, spare_remove),
	cmocka_unit_test_teardown(hint__makes_huge_pages_possible, spare_remove),
	cmocka_unit_test_teardown(hint__of_somebody_is_kept, spare_remove),
	cmocka_unit_test_teardown(cancelled__leaves_size_flags_and_blocks, spare_remove),
};

TEST_MAIN(cases)
