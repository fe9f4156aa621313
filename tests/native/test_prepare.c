/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_prepare.c -- opening and preparing files of the host's filesystems, and
 * refusing what is no such file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file/extents.h"
#include "support/host.h"
#include "support/test.h"

#define LENGTH (64u * 4096)

static const struct pinreg_file_opts cache_ok = {
	.size = sizeof(cache_ok),
	.allow_page_cache = 1,
};

static struct pinreg_file *open_ok(struct pinreg_domain *domain, const char *path,
				   const struct pinreg_file_opts *opts)
{
	struct pinreg_file *file = NULL;
	struct pinreg_why why;
	int status = pinreg_file_open(domain, AT_FDCWD, path, opts, &why, &file);
	if (status) {
		char text[256];
		pinreg_why_describe(&why, text, sizeof(text));
		fail_msg("%d: %s", status, text);
	}
	return file;
}

static void refused(const char *path, const struct pinreg_file_opts *opts, int error,
		    enum pinreg_reason reason)
{
	struct pinreg_domain *domain = host_domain(0);
	struct pinreg_file *file = NULL;
	struct pinreg_why why;
	int status = pinreg_file_open(domain, AT_FDCWD, path, opts, &why, &file);
	if (status != error || why.reason != reason || why.error != error)
		fail_msg("%s: %d, %s", path, status, pinreg_reason_name(why.reason));
	assert_null(file);
	host_domain_close(domain);
}

static struct pinreg_file_info info_of(struct pinreg_file *file)
{
	struct pinreg_file_info info = { .size = sizeof(info) };
	test_ok(pinreg_file_query(file, &info));
	return info;
}

static void file__new_one_is_private_and_zero(void **state)
{
	(void)state;
	struct pinreg_file_opts opts = cache_ok;
	struct pinreg_domain *domain = host_domain(0);
	struct stat stat_now;
	const char *path = host_path(host_directory(), "new");
	opts.create = 1;
	opts.length = LENGTH;
	umask(0);
	struct pinreg_file *file = open_ok(domain, path, &opts);
	struct pinreg_file_info info = info_of(file);
	assert_int_equal(info.length, LENGTH);
	assert_int_equal(info.zeroed, LENGTH);
	assert_int_equal(info.dax, 0);
	assert_int_equal(info.map_sync, 0);
	test_ok(stat(path, &stat_now));
	assert_int_equal(stat_now.st_mode & 07777, 0600);
	assert_int_equal(stat_now.st_ino, info.inode);
	for (unsigned int i = 0; i < LENGTH; i++)
		assert_int_equal(((unsigned char *)info.addr)[i], 0);
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

static void file__relative_to_a_directory(void **state)
{
	(void)state;
	struct pinreg_domain *domain = host_domain(0);
	struct pinreg_file *file = NULL;
	struct pinreg_why why;
	const char *where = host_directory();
	host_file(host_path(where, "file"), 4);
	int dirfd = open(where, O_PATH | O_DIRECTORY | O_CLOEXEC);
	test_ok(pinreg_file_open(domain, dirfd, "file", &cache_ok, &why, &file));
	close(dirfd);
	assert_int_equal(info_of(file).length, 4 * 4096);
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

static int no_flaw(void *context, const struct pinreg_extent *extent)
{
	(void)context;
	return extent->hole || extent->flags & (1u << 11 /* unwritten */) ? 1 : 0;
}

static void file__sparse_is_filled_and_data_kept(void **state)
{
	(void)state;
	struct pinreg_domain *domain = host_domain(0);
	const char *path = host_file(host_path(host_directory(), "file"), 64);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8192, 16384))
		test_skip("punching holes: %s", strerror(errno));
	test_ok(fallocate(fd, FALLOC_FL_ZERO_RANGE, 65536, 8192));
	close(fd);
	struct pinreg_file *file = open_ok(domain, path, &cache_ok);
	struct pinreg_file_info info = info_of(file);
	assert_int_equal(info.zeroed, 16384 + 8192);
	for (unsigned int i = 0; i < LENGTH; i++) {
		bool gone = (i >= 8192 && i < 8192 + 16384) || (i >= 65536 && i < 65536 + 8192);
		unsigned char byte = ((unsigned char *)info.addr)[i];
		if (byte != (gone ? 0 : host_byte(i)))
			fail_msg("byte %u is 0x%02x", i, byte);
	}
	test_ok(pinreg_file_close(file));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	test_ok(pinreg_extents_walk(&pinreg_sys_real, fd, LENGTH, no_flaw, NULL));
	close(fd);

	file = open_ok(domain, path, &cache_ok);
	assert_int_equal(info_of(file).zeroed, 0);
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

static void file__grows_and_never_shrinks(void **state)
{
	(void)state;
	struct pinreg_file_opts opts = cache_ok;
	struct pinreg_domain *domain = host_domain(0);
	struct stat stat_now;
	const char *path = host_file(host_path(host_directory(), "file"), 4);
	opts.length = LENGTH;
	struct pinreg_file *file = open_ok(domain, path, &opts);
	assert_int_equal(info_of(file).zeroed, LENGTH - 4 * 4096);
	test_ok(pinreg_file_close(file));
	opts.length = 8192;
	file = open_ok(domain, path, &opts);
	assert_int_equal(info_of(file).length, 8192);
	test_ok(pinreg_file_close(file));
	test_ok(stat(path, &stat_now));
	assert_int_equal(stat_now.st_size, LENGTH);
	host_domain_close(domain);
}

static void file__on_tmpfs(void **state)
{
	(void)state;
	struct pinreg_file_opts opts = cache_ok;
	struct pinreg_domain *domain = host_domain(0);
	char path[] = "/dev/shm/pinreg-XXXXXX";
	int fd = mkstemp(path);
	test_ok(fd);
	close(fd);
	opts.length = LENGTH;
	struct pinreg_file *file = open_ok(domain, path, &opts);
	test_ok(pinreg_file_close(file));
	struct stat stat_now;
	test_ok(stat(path, &stat_now));
	assert_int_equal(stat_now.st_blocks * 512, LENGTH);
	unlink(path);
	host_domain_close(domain);
}

static void refused__what_is_no_regular_file(void **state)
{
	(void)state;
	const char *where = host_directory();
	test_ok(mkfifo(host_path(where, "fifo"), 0600));
	refused(host_path(where, "fifo"), &cache_ok, -EINVAL, PINREG_REASON_FILE_NOT_REGULAR);
	refused("/dev/null", &cache_ok, -EINVAL, PINREG_REASON_FILE_NOT_REGULAR);
	refused(where, &cache_ok, -EISDIR, PINREG_REASON_FILE_NOT_REGULAR);
	host_file(host_path(where, "file"), 1);
	test_ok(symlink("file", host_path(where, "link")));
	refused(host_path(where, "link"), &cache_ok, -ELOOP, PINREG_REASON_FILE_SYMLINK);
	refused(host_path(where, "none"), &cache_ok, -ENOENT, PINREG_REASON_FILE_SYSTEM_CALL);
	refused(host_path(where, "file/below"), &cache_ok, -ENOTDIR,
		PINREG_REASON_FILE_SYSTEM_CALL);
}

static void refused__not_on_dax(void **state)
{
	(void)state;
	struct pinreg_file_opts create = { .size = sizeof(create), .create = 1, .length = 4096 };
	const char *where = host_directory();
	refused(host_file(host_path(where, "file"), 1), NULL, -EOPNOTSUPP,
		PINREG_REASON_FILE_NOT_DAX);
	/* what was made for the attempt is gone again */
	refused(host_path(where, "new"), &create, -EOPNOTSUPP, PINREG_REASON_FILE_NOT_DAX);
	assert_int_equal(access(host_path(where, "new"), F_OK), -1);
}

static void refused__sizes(void **state)
{
	(void)state;
	struct pinreg_file_opts opts = cache_ok;
	const char *where = host_directory();
	assert_int_equal(host_run("echo odd > '%s/odd'; : > '%s/empty'", where, where), 0);
	refused(host_path(where, "odd"), &cache_ok, -EINVAL, PINREG_REASON_FILE_SIZE);
	refused(host_path(where, "empty"), &cache_ok, -EINVAL, PINREG_REASON_FILE_SIZE);
	opts.length = 4097;
	refused(host_path(where, "empty"), &opts, -EINVAL, PINREG_REASON_FILE_SIZE);
	opts.length = UINT64_MAX - 4095;
	refused(host_path(where, "empty"), &opts, -EINVAL, PINREG_REASON_FILE_SIZE);
	opts = cache_ok;
	opts.create = 1; /* of what length? */
	refused(host_path(where, "new"), &opts, -EINVAL, PINREG_REASON_BAD_OPTION);
}

static void refused__no_room(void **state)
{
	(void)state;
	struct pinreg_file_opts opts = cache_ok;
	struct stat before, after;
	const char *path = host_file(host_path(host_directory(), "file"), 2);
	opts.length = (uint64_t)1 << 43; /* within what ext4 can address */
	test_ok(stat(path, &before));
	refused(path, &opts, -ENOSPC, PINREG_REASON_FILE_NO_SPACE);
	test_ok(stat(path, &after));
	assert_int_equal(after.st_size, before.st_size);
	assert_int_equal(after.st_blocks, before.st_blocks);
}

static void refused__in_use_by_another(void **state)
{
	(void)state;
	const char *path = host_file(host_path(host_directory(), "file"), 4);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	refused(path, &cache_ok, -EBUSY, PINREG_REASON_FILE_IN_USE);
	close(fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	void *addr = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	/* a writable mapping holds it as well */
	refused(path, &cache_ok, -EBUSY, PINREG_REASON_FILE_IN_USE);
	munmap(addr, 4096);
}

static void refused__leased_by_another(void **state)
{
	(void)state;
	struct pinreg_domain *first = host_domain(5000);
	const char *path = host_file(host_path(host_directory(), "file"), 4);
	struct pinreg_file *file = open_ok(first, path, &cache_ok);
	struct pinreg_file *second = NULL;
	struct pinreg_why why;
	/* does not wait for the other's break */
	assert_int_equal(pinreg_file_open(first, AT_FDCWD, path, &cache_ok, &why, &second), -EBUSY);
	assert_int_equal(why.reason, PINREG_REASON_FILE_IN_USE);
	test_ok(pinreg_file_close(file));
	host_domain_close(first);
}

static int as_nobody(const char *path)
{
	struct pinreg_domain *domain = host_domain(0);
	struct pinreg_file *file = NULL;
	struct pinreg_why why;
	if (setgid(65534) || setuid(65534))
		return 2;
	int status = pinreg_file_open(domain, AT_FDCWD, path, &cache_ok, &why, &file);
	return status == -EACCES && why.reason == PINREG_REASON_FILE_LEASE_DENIED ? 0 : 1;
}

static void refused__lease_of_another_user(void **state)
{
	(void)state;
	if (getuid())
		test_skip("needs root to become somebody else");
	const char *where = host_directory();
	test_ok(chmod(where, 0755));
	const char *path = host_file(host_path(where, "file"), 4);
	test_ok(chmod(path, 0666));
	pid_t child = fork();
	if (!child)
		_exit(as_nobody(path));
	assert_int_equal(host_wait(child), 0);
}

static void refused__options(void **state)
{
	(void)state;
	struct pinreg_domain *domain = host_domain(0);
	struct pinreg_file_opts opts = cache_ok;
	struct pinreg_file *file = NULL;
	struct pinreg_why why;
	const char *path = host_file(host_path(host_directory(), "file"), 4);
	opts.on_shrink = (enum pinreg_shrink)9;
	assert_int_equal(pinreg_file_open(domain, AT_FDCWD, path, &opts, &why, &file), -EINVAL);
	assert_int_equal(pinreg_file_open(domain, AT_FDCWD, NULL, NULL, &why, &file), -EINVAL);
	assert_int_equal(pinreg_file_open(domain, AT_FDCWD, path, NULL, NULL, NULL), -EINVAL);
	assert_int_equal(pinreg_file_open(NULL, AT_FDCWD, path, NULL, NULL, &file), -EINVAL);
	assert_int_equal(pinreg_file_query(NULL, NULL), -EINVAL);
	assert_int_equal(pinreg_file_ack(NULL, 1), -EINVAL);
	assert_int_equal(pinreg_file_close(NULL), 0);
	assert_int_equal(pinreg_domain_close(NULL), 0);

	file = open_ok(domain, path, &cache_ok);
	struct pinreg_region *region = NULL;
	assert_int_equal(pinreg_file_register(file, 4 * 4096, 0, NULL, &why, &region), -EINVAL);
	assert_int_equal(pinreg_file_register(file, 4096, 4 * 4096, NULL, &why, &region), -EINVAL);
	assert_int_equal(why.reason, PINREG_REASON_BAD_RANGE);
	assert_null(region);
	assert_int_equal(pinreg_domain_close(domain), -EBUSY);
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

/* Data and holes of a page each, in turn, each where the one before ended. */
static int count_pages(void *context, const struct pinreg_extent *extent)
{
	unsigned int *pieces = context;
	assert_int_equal(extent->offset, *pieces * 4096);
	assert_int_equal(extent->length, 4096);
	assert_int_equal(extent->hole, *pieces % 2);
	++*pieces;
	return 0;
}

static void extents__more_than_one_piece(void **state)
{
	(void)state;
	struct pinreg_domain *domain = host_domain(0);
	const char *path = host_file(host_path(host_directory(), "file"), 600);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	for (unsigned int i = 1; i < 600; i += 2)
		if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, i * 4096, 4096))
			test_skip("punching holes: %s", strerror(errno));
	unsigned int pieces = 0;
	test_ok(pinreg_extents_walk(&pinreg_sys_real, fd, 600 * 4096, count_pages, &pieces));
	assert_int_equal(pieces, 600);
	close(fd);
	struct pinreg_file *file = open_ok(domain, path, &cache_ok);
	struct pinreg_file_info info = info_of(file);
	assert_int_equal(info.zeroed, 300 * 4096);
	for (unsigned int i = 0; i < 600 * 4096; i++) {
		unsigned char byte = ((unsigned char *)info.addr)[i];
		if (byte != (i / 4096 % 2 ? 0 : host_byte(i)))
			fail_msg("byte %u is 0x%02x", i, byte);
	}
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(file__new_one_is_private_and_zero),
	cmocka_unit_test(file__relative_to_a_directory),
	cmocka_unit_test(file__sparse_is_filled_and_data_kept),
	cmocka_unit_test(file__grows_and_never_shrinks),
	cmocka_unit_test(file__on_tmpfs),
	cmocka_unit_test(refused__what_is_no_regular_file),
	cmocka_unit_test(refused__not_on_dax),
	cmocka_unit_test(refused__sizes),
	cmocka_unit_test(refused__no_room),
	cmocka_unit_test(refused__in_use_by_another),
	cmocka_unit_test(refused__leased_by_another),
	cmocka_unit_test(refused__lease_of_another_user),
	cmocka_unit_test(refused__options),
	cmocka_unit_test(extents__more_than_one_piece),
};

TEST_MAIN(cases)
