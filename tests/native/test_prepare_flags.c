/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_prepare_flags.c -- which flags of an inode preparing sets, which it leaves
 * alone, and that they come back. The filesystem is a made-up one that lets each
 * inode decide about DAX and takes hints, above the host's own.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/hooks.h"
#include "support/test.h"

#define LENGTH (4u << 20)
#define HINT (2u << 20)

/* The filesystem. */
static struct {
	struct pinreg_file_flags flags;
	unsigned int sets;  /* calls that changed them */
	int set_error;	    /* what changing them gives */
	bool always;	    /* mounted so that all is DAX */
	bool never;	    /* the flag has no effect */
	bool in_cache;	    /* somebody else keeps the inode there */
	bool effective;	    /* the flag was looked at when the inode was read */
	int can;	    /* the device's answer */
	int allocate_error; /* what allocating gives */
	unsigned int opens;
} fs;

static int flags_get(int fd, struct pinreg_file_flags *out)
{
	(void)fd;
	*out = fs.flags;
	return 0;
}

static int flags_set(int fd, const struct pinreg_file_flags *flags)
{
	struct stat now;
	test_ok(fstat(fd, &now));
	if (fs.set_error)
		return fs.set_error;
	/* as xfs */
	if (flags->extsize != fs.flags.extsize && now.st_blocks)
		return -EINVAL;
	fs.flags = *flags;
	fs.sets++;
	return 0;
}

static int look(int fd, struct pinreg_file_look *out)
{
	int status = pinreg_sys_real.file_look(fd, out);
	out->dax = fs.always || fs.effective;
	out->extent_hints = true;
	return status;
}

static int open_file(int dirfd, const char *path, int flags, mode_t mode)
{
	/* those of the file: its directory and its record do not count */
	if (!(flags & O_PATH) && strstr(path, "/file")) {
		fs.opens++;
		fs.effective = fs.flags.xflags & FS_XFLAG_DAX && !fs.never && !fs.in_cache;
	}
	return pinreg_sys_real.file_open(dirfd, path, flags, mode);
}

static int can_dax(uint64_t device)
{
	(void)device;
	return fs.can;
}

static int allocate(int fd, int mode, uint64_t offset, uint64_t length)
{
	int status = pinreg_sys_real.file_allocate(fd, mode, offset, length);
	return status ? status : mode & FALLOC_FL_PUNCH_HOLE ? 0 : fs.allocate_error;
}

static struct pinreg_domain *domain;
static const struct pinreg_file_opts dax_only = {
	.size = sizeof(dax_only),
	.length = LENGTH,
	.create = 1,
};

static const char *start(void)
{
	hooks.file_flags_get = flags_get;
	hooks.file_flags_set = flags_set;
	hooks.file_look = look;
	hooks.file_open = open_file;
	hooks.file_allocate = allocate;
	hooks.device_can_dax = can_dax;
	fs.can = 1;
	domain = hooks_domain(1);
	return host_path(host_directory(), "file");
}

static void end(void)
{
	host_domain_close(domain);
}

/* Open and close it; what it was meanwhile. */
static struct pinreg_file_info prepare(const char *path, const struct pinreg_file_opts *opts)
{
	struct pinreg_file_info info = { .size = sizeof(info) };
	struct pinreg_file *file = NULL;
	struct pinreg_why why;
	int status = pinreg_file_open(domain, AT_FDCWD, path, opts, &why, &file);
	if (status)
		fail_msg("%d, %s", status, pinreg_reason_name(why.reason));
	test_ok(pinreg_file_query(file, &info));
	test_ok(pinreg_file_close(file));
	return info;
}

static void refused(const char *path, const struct pinreg_file_opts *opts, int error,
		    enum pinreg_reason reason)
{
	struct pinreg_file *file = NULL;
	struct pinreg_why why;
	assert_int_equal(pinreg_file_open(domain, AT_FDCWD, path, opts, &why, &file), error);
	assert_int_equal(why.reason, reason);
}

static void make_empty(const char *path, uint64_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	test_ok(fd);
	test_ok(ftruncate(fd, (off_t)size));
	close(fd);
}

static void dax__new_file_gets_the_flag(void **state)
{
	(void)state;
	const char *path = start();
	assert_int_equal(prepare(path, &dax_only).dax, 1);
	assert_int_equal(fs.flags.xflags & FS_XFLAG_DAX, FS_XFLAG_DAX);
	assert_int_equal(fs.opens, 2);
	end();
}

static void dax__empty_file_gets_the_flag(void **state)
{
	(void)state;
	const char *path = start();
	make_empty(path, 0);
	assert_int_equal(prepare(path, &dax_only).dax, 1);
	assert_int_equal(fs.flags.xflags & FS_XFLAG_DAX, FS_XFLAG_DAX);
	end();
}

static void dax__inherited_flag_needs_nothing(void **state)
{
	(void)state;
	struct pinreg_file_opts small = dax_only;
	const char *path = start();
	small.length = 8192;
	fs.flags.xflags = FS_XFLAG_DAX;
	assert_int_equal(prepare(path, &small).dax, 1);
	assert_int_equal(fs.sets, 0);
	assert_int_equal(fs.opens, 1);
	end();
}

static void dax__of_all_needs_nothing(void **state)
{
	(void)state;
	struct pinreg_file_opts small = dax_only;
	const char *path = start();
	small.length = 8192;
	fs.always = true;
	assert_int_equal(prepare(path, &small).dax, 1);
	assert_int_equal(fs.sets, 0);
	assert_int_equal(fs.opens, 1);
	end();
}

static void dax__file_with_content_is_left_alone(void **state)
{
	(void)state;
	const char *path = start();
	host_file(path, 4);
	refused(path, &dax_only, -EOPNOTSUPP, PINREG_REASON_FILE_NOT_DAX);
	assert_int_equal(fs.sets, 0);
	end();
}

static void dax__flag_without_effect_is_taken_back(void **state)
{
	(void)state;
	const char *path = start();
	make_empty(path, 0);
	fs.in_cache = true;
	refused(path, &dax_only, -EOPNOTSUPP, PINREG_REASON_FILE_NOT_DAX);
	assert_int_equal(fs.flags.xflags, 0);
	test_ok(access(path, F_OK));
	/* one made for it is gone */
	unlink(path);
	fs.in_cache = false;
	fs.never = true;
	refused(path, &dax_only, -EOPNOTSUPP, PINREG_REASON_FILE_NOT_DAX);
	assert_int_equal(access(path, F_OK), -1);
	end();
}

static void dax__without_effect_page_cache_will_do(void **state)
{
	(void)state;
	struct pinreg_file_opts opts = dax_only;
	const char *path = start();
	opts.allow_page_cache = 1;
	fs.never = true;
	assert_int_equal(prepare(path, &opts).dax, 0);
	assert_int_equal(fs.flags.xflags, 0);
	/* and where the device cannot, or nobody knows, it is not even tried */
	for (fs.can = 0; fs.can > -2; fs.can--) {
		fs.sets = 0;
		unlink(path);
		assert_int_equal(prepare(path, &opts).dax, 0);
		assert_int_equal(fs.sets, 0);
	}
	end();
}

static void dax__flag_is_refused(void **state)
{
	(void)state;
	const char *path = start();
	fs.set_error = -EPERM;
	refused(path, &dax_only, -EOPNOTSUPP, PINREG_REASON_FILE_NOT_DAX);
	assert_int_equal(access(path, F_OK), -1);
	end();
}

static void dax__flag_of_a_file_in_use_is_taken_back(void **state)
{
	(void)state;
	const char *path = start();
	make_empty(path, 0);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	refused(path, &dax_only, -EBUSY, PINREG_REASON_FILE_IN_USE);
	assert_int_equal(fs.flags.xflags, 0);
	close(fd);
	end();
}

static void hint__is_set_before_the_first_block(void **state)
{
	(void)state;
	const char *path = start();
	fs.always = true;
	prepare(path, &dax_only);
	assert_int_equal(fs.flags.xflags, FS_XFLAG_EXTSIZE);
	assert_int_equal(fs.flags.extsize, HINT);
	assert_int_equal(fs.sets, 1);
	/* the second time there are blocks */
	prepare(path, &dax_only);
	assert_int_equal(fs.sets, 1);
	end();
}

static void hint__of_somebody_is_kept(void **state)
{
	(void)state;
	const char *path = start();
	fs.always = true;
	fs.flags = (struct pinreg_file_flags){ .xflags = FS_XFLAG_EXTSIZE, .extsize = 65536 };
	prepare(path, &dax_only);
	assert_int_equal(fs.flags.extsize, 65536);
	assert_int_equal(fs.sets, 0);
	end();
}

static void hint__is_not_for_small_files_nor_page_cache(void **state)
{
	(void)state;
	struct pinreg_file_opts opts = dax_only;
	const char *path = start();
	fs.always = true;
	opts.length = HINT - 4096;
	prepare(path, &opts);
	assert_int_equal(fs.sets, 0);
	unlink(path);
	fs.always = false;
	fs.can = 0;
	opts.length = LENGTH;
	opts.allow_page_cache = 1;
	prepare(path, &opts);
	assert_int_equal(fs.sets, 0);
	end();
}

static void hint__refused_is_no_failure(void **state)
{
	(void)state;
	const char *path = start();
	fs.always = true;
	fs.set_error = -EINVAL;
	prepare(path, &dax_only);
	assert_int_equal(fs.flags.extsize, 0);
	end();
}

static void hint__is_taken_back_with_the_blocks(void **state)
{
	(void)state;
	struct stat now;
	const uint64_t sizes[] = { 0, 4096, LENGTH };
	const char *path = start();
	fs.always = true;
	fs.allocate_error = -ENOSPC;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		make_empty(path, sizes[i]);
		fs.sets = 0;
		refused(path, &dax_only, -ENOSPC, PINREG_REASON_FILE_NO_SPACE);
		assert_int_equal(fs.sets, 2);
		assert_int_equal(fs.flags.extsize, 0);
		assert_int_equal(fs.flags.xflags, 0);
		test_ok(stat(path, &now));
		assert_int_equal(now.st_size, sizes[i]);
		assert_int_equal(now.st_blocks, 0);
		unlink(path);
	}
	end();
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(dax__new_file_gets_the_flag),
	cmocka_unit_test(dax__empty_file_gets_the_flag),
	cmocka_unit_test(dax__inherited_flag_needs_nothing),
	cmocka_unit_test(dax__of_all_needs_nothing),
	cmocka_unit_test(dax__file_with_content_is_left_alone),
	cmocka_unit_test(dax__flag_without_effect_is_taken_back),
	cmocka_unit_test(dax__without_effect_page_cache_will_do),
	cmocka_unit_test(dax__flag_is_refused),
	cmocka_unit_test(dax__flag_of_a_file_in_use_is_taken_back),
	cmocka_unit_test(hint__is_set_before_the_first_block),
	cmocka_unit_test(hint__of_somebody_is_kept),
	cmocka_unit_test(hint__is_not_for_small_files_nor_page_cache),
	cmocka_unit_test(hint__refused_is_no_failure),
	cmocka_unit_test(hint__is_taken_back_with_the_blocks),
};

TEST_MAIN(cases)
