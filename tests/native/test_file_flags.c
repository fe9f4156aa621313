/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_file_flags.c -- reading an inode's flags and writing them back.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <unistd.h>

#include "support/host.h"
#include "support/test.h"
#include "sys/sys.h"

static void flags__are_written_back_as_read(void **state)
{
	(void)state;
	struct pinreg_file_flags before, changed, after;
	int fd = open(host_file(host_path(host_directory(), "file"), 1), O_RDWR | O_CLOEXEC);
	int status = pinreg_sys_real.file_flags_get(fd, &before);
	if (status == -ENOTTY || status == -EOPNOTSUPP)
		test_skip("the filesystem of %s has no such flags", host_directory());
	test_ok(status);
	changed = before;
	changed.xflags |= FS_XFLAG_NODUMP;
	status = pinreg_sys_real.file_flags_set(fd, &changed);
	if (status == -EOPNOTSUPP)
		test_skip("the filesystem of %s has no such flag", host_directory());
	test_ok(status);
	test_ok(pinreg_sys_real.file_flags_get(fd, &after));
	assert_int_equal(after.xflags & FS_XFLAG_NODUMP, FS_XFLAG_NODUMP);
	test_ok(pinreg_sys_real.file_flags_set(fd, &before));
	test_ok(pinreg_sys_real.file_flags_get(fd, &after));
	assert_int_equal(after.xflags, before.xflags);
	assert_int_equal(after.extsize, before.extsize);
	close(fd);
}

static void flags__of_what_has_none(void **state)
{
	(void)state;
	struct pinreg_file_flags flags;
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_true(pinreg_sys_real.file_flags_get(fd, &flags) < 0);
	flags = (struct pinreg_file_flags){ 0 };
	assert_true(pinreg_sys_real.file_flags_set(fd, &flags) < 0);
	close(fd);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(flags__are_written_back_as_read),
	cmocka_unit_test(flags__of_what_has_none),
};

TEST_MAIN(cases)
