/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_verify.c -- pinreg_file_verify() on files of the host: what it says, and
 * that nobody is disturbed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/fs.h>

#include "file/record_store.h"
#include "file/verify_path.h"
#include "support/host.h"
#include "support/test.h"

#define PAGES 16u
#define LENGTH (PAGES * (uint64_t)4096)

static struct pinreg_file_report report;
static struct pinreg_why why;

static int verify(const char *path)
{
	report = (struct pinreg_file_report){ .size = sizeof(report) };
	return pinreg_file_verify(AT_FDCWD, path, NULL, NULL, &why, &report);
}

static void refused(const char *path, int error, enum pinreg_reason reason)
{
	assert_int_equal(verify(path), error);
	assert_int_equal(why.reason, reason);
	assert_int_equal(why.error, error);
	assert_int_equal(report.file_size, 0);
}

/* A file whose blocks are written and on the disk. */
static const char *good_file(void)
{
	const char *path = host_file(host_path(host_directory(), "file"), PAGES);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	test_ok(fsync(fd));
	close(fd);
	return path;
}

static void punch(const char *path, off_t offset, off_t length)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length))
		test_skip("punching holes: %s", strerror(errno));
	close(fd);
}

static void verify__good(void **state)
{
	(void)state;
	const char *path = good_file();
	struct stat file;
	test_ok(verify(path));
	test_ok(stat(path, &file));
	assert_int_equal(report.size, sizeof(report));
	assert_int_equal(report.file_size, LENGTH);
	assert_int_equal(report.device, file.st_dev);
	assert_int_equal(report.inode, file.st_ino);
	assert_int_equal(report.flaws, 0);
	assert_int_equal(report.immutable, 0);
	assert_true(report.extents >= 1);
	assert_int_equal(why.reason, PINREG_REASON_NONE);
	uint64_t map = report.block_map;
	assert_int_not_equal(map, 0);
	test_ok(verify(path));
	assert_int_equal(report.block_map, map);
}

static void verify__generation_tells_inodes_apart(void **state)
{
	(void)state;
	const char *path = good_file();
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned int generation[2] = { 0 };
	if (ioctl(fd, FS_IOC_GETVERSION, generation))
		test_skip("FS_IOC_GETVERSION: %s", strerror(errno));
	close(fd);
	test_ok(verify(path));
	assert_int_equal(report.inode_generation, generation[0]);
}

static int note_first(void *context, const struct pinreg_flaw *flaw)
{
	struct pinreg_flaw *first = context;
	if (!first->length)
		*first = *flaw;
	return 0;
}

static void verify__hole(void **state)
{
	(void)state;
	const char *path = good_file();
	struct pinreg_flaw first = { 0 };
	test_ok(verify(path));
	uint64_t map = report.block_map;
	punch(path, 8192, 4096);
	punch(path, 20480, 8192);
	test_ok(pinreg_file_verify(AT_FDCWD, path, note_first, &first, &why, &report));
	assert_int_equal(report.flaws, 2);
	assert_int_equal(report.holes, 12288);
	assert_int_equal(first.offset, 8192);
	assert_int_equal(first.length, 4096);
	assert_int_not_equal(report.block_map, map);
}

static void verify__not_a_whole_page(void **state)
{
	(void)state;
	const char *path = good_file();
	test_ok(truncate(path, LENGTH - 100));
	test_ok(verify(path));
	assert_int_equal(report.file_size, LENGTH - 100);
	assert_int_equal(report.flaws, 0);
	test_ok(truncate(path, 0));
	test_ok(verify(path));
	assert_int_equal(report.extents, 0);
	assert_int_equal(report.flaws, 0);
}

static int end_at_once(void *context, const struct pinreg_flaw *flaw)
{
	(void)flaw;
	++*(int *)context;
	return 7;
}

static void verify__caller_ends_it(void **state)
{
	(void)state;
	const char *path = good_file();
	int calls = 0;
	punch(path, 0, 4096);
	punch(path, 8192, 4096);
	report = (struct pinreg_file_report){ .size = sizeof(report) };
	assert_int_equal(pinreg_file_verify(AT_FDCWD, path, end_at_once, &calls, &why, &report),
			 -ECANCELED);
	assert_int_equal(why.reason, PINREG_REASON_FILE_CANCELLED);
	assert_int_equal(calls, 1);
	assert_int_equal(report.file_size, 0);
}

static void verify__on_tmpfs(void **state)
{
	(void)state;
	char path[] = "/dev/shm/pinreg-XXXXXX";
	int fd = mkstemp(path);
	test_ok(fd);
	test_ok(ftruncate(fd, LENGTH));
	assert_int_equal(pwrite(fd, "x", 1, 4096), 1);
	close(fd);
	int status = verify(path);
	unlink(path);
	test_ok(status);
	assert_int_equal(report.flaws, 2);
	assert_int_equal(report.holes, LENGTH - 4096);
	assert_int_equal(report.block_map, 0); /* there is none to know */
}

static void verify__relative_to_a_directory(void **state)
{
	(void)state;
	const char *path = good_file();
	char *directory = strdup(path);
	*strrchr(directory, '/') = 0;
	int dirfd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	report = (struct pinreg_file_report){ .size = sizeof(report) };
	test_ok(pinreg_file_verify(dirfd, "file", NULL, NULL, NULL, &report));
	assert_int_equal(report.file_size, LENGTH);
	close(dirfd);
	free(directory);
}

static void verify__older_and_newer_callers(void **state)
{
	(void)state;
	const char *path = good_file();
	struct {
		struct pinreg_file_report known;
		uint64_t unknown;
	} newer = { .known.size = sizeof(newer), .unknown = 7 };
	test_ok(pinreg_file_verify(AT_FDCWD, path, NULL, NULL, NULL, &newer.known));
	assert_int_equal(newer.unknown, 0);
	report =
		(struct pinreg_file_report){ .size = offsetof(struct pinreg_file_report, extents) };
	report.extents = 77;
	test_ok(pinreg_file_verify(AT_FDCWD, path, NULL, NULL, NULL, &report));
	assert_int_equal(report.extents, 77);
	assert_int_equal(report.file_size, LENGTH);
}

static void refused__what_is_no_file(void **state)
{
	(void)state;
	const char *where = host_directory();
	host_file(host_path(where, "file"), 1);
	test_ok(symlink("file", host_path(where, "link")));
	test_ok(mkfifo(host_path(where, "fifo"), 0600));
	refused(where, -EISDIR, PINREG_REASON_FILE_NOT_REGULAR);
	refused(host_path(where, "link"), -ELOOP, PINREG_REASON_FILE_SYMLINK);
	refused(host_path(where, "fifo"), -EINVAL, PINREG_REASON_FILE_NOT_REGULAR);
	refused("/dev/zero", -EINVAL, PINREG_REASON_FILE_NOT_REGULAR);
	refused(host_path(where, "none"), -ENOENT, PINREG_REASON_FILE_SYSTEM_CALL);
	refused(NULL, -EINVAL, PINREG_REASON_BAD_OPTION);
	report.size = 3;
	assert_int_equal(pinreg_file_verify(AT_FDCWD, where, NULL, NULL, NULL, &report), -EINVAL);
	assert_int_equal(pinreg_file_verify(AT_FDCWD, where, NULL, NULL, NULL, NULL), -EINVAL);
}

static void refused__leased_and_not_disturbed(void **state)
{
	(void)state;
	const char *path = good_file();
	struct pinreg_domain *domain = host_domain(0);
	struct pinreg_file *file = NULL;
	struct pinreg_file_opts opts = { .size = sizeof(opts), .allow_page_cache = 1 };
	struct pinreg_event event = { .size = sizeof(event) };
	char text[256];
	test_ok(pinreg_file_open(domain, AT_FDCWD, path, &opts, &why, &file));
	refused(path, -EBUSY, PINREG_REASON_FILE_IN_USE);
	assert_int_equal(why.used, getpid());
	pinreg_why_describe(&why, text, sizeof(text));
	assert_non_null(strstr(text, "holds a lease"));
	struct pinreg_file_info info = { .size = sizeof(info) };
	test_ok(pinreg_file_query(file, &info));
	assert_int_equal(info.state, PINREG_FILE_HELD);
	assert_int_equal(pinreg_domain_next_event(domain, &event), -EAGAIN);
	test_ok(pinreg_file_close(file));
	test_ok(verify(path));
	host_domain_close(domain);
}

/* A record of a file that says so. */
static struct pinreg_record record_by(const char *path, struct pinreg_record_store *store)
{
	struct pinreg_file_look look;
	int fd = open(path, O_PATH | O_CLOEXEC);
	test_ok(pinreg_sys_real.file_look(fd, &look));
	close(fd);
	struct pinreg_record record = {
		.phase = PINREG_PHASE_SEALED,
		.device = look.device,
		.inode = look.inode,
		.born_ns = look.born_ns,
		.old_size = look.size,
		.new_size = look.size,
	};
	test_ok(pinreg_owner_self(&pinreg_sys_real, &record.owner));
	test_ok(pinreg_store_open(store, &pinreg_sys_real, AT_FDCWD, path, look.inode));
	return record;
}

static void refused__owner_lives(void **state)
{
	(void)state;
	const char *path = good_file();
	struct pinreg_record_store store;
	struct pinreg_record record = record_by(path, &store);
	test_ok(pinreg_store_write(&store, &record));
	refused(path, -EBUSY, PINREG_REASON_FILE_OWNED);
	assert_int_equal(why.used, getpid());
	record.owner.start++; /* another one of that number */
	test_ok(pinreg_store_write(&store, &record));
	test_ok(verify(path));
	record.owner.pid = 0; /* a standing seal */
	test_ok(pinreg_store_write(&store, &record));
	test_ok(verify(path));
	pinreg_store_close(&store);
}

/* The path leads elsewhere between the look and the open. */
static char other_path[256];

static int open_other(int dirfd, const char *path, int flags, mode_t mode)
{
	return pinreg_sys_real.file_open(dirfd, flags & O_PATH ? path : other_path, flags, mode);
}

static int leased_meanwhile(int dirfd, const char *path, int flags, mode_t mode)
{
	if (!(flags & O_PATH))
		assert_true(flags & O_NONBLOCK && flags & O_NOFOLLOW && !(flags & O_ACCMODE));
	return flags & O_PATH ? pinreg_sys_real.file_open(dirfd, path, flags, mode) : -EAGAIN;
}

static void refused__changed_meanwhile(void **state)
{
	(void)state;
	struct pinreg_sys table = pinreg_sys_real;
	const char *path = good_file();
	char first[256];
	strcpy(first, path);
	strcpy(other_path, host_file(host_path(host_directory(), "other"), 1));
	report = (struct pinreg_file_report){ .size = sizeof(report) };
	table.file_open = open_other;
	assert_int_equal(pinreg_verify_path(&table, AT_FDCWD, first, NULL, NULL, &why, &report),
			 -ESTALE);
	assert_int_equal(why.reason, PINREG_REASON_FILE_REPLACED);
	table.file_open = leased_meanwhile;
	assert_int_equal(pinreg_verify_path(&table, AT_FDCWD, first, NULL, NULL, &why, &report),
			 -EBUSY);
	assert_int_equal(why.reason, PINREG_REASON_FILE_IN_USE);
}

static int no_extents(int fd, struct fiemap *map)
{
	(void)fd;
	(void)map;
	return -EOPNOTSUPP;
}

static void refused__no_fiemap(void **state)
{
	(void)state;
	struct pinreg_sys table = pinreg_sys_real;
	table.file_extents = no_extents;
	report = (struct pinreg_file_report){ .size = sizeof(report) };
	assert_int_equal(
		pinreg_verify_path(&table, AT_FDCWD, good_file(), NULL, NULL, &why, &report),
		-EOPNOTSUPP);
	assert_int_equal(why.reason, PINREG_REASON_FILE_SYSTEM_CALL);
	assert_string_equal(why.step, "FIEMAP");
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(verify__good),
	cmocka_unit_test(verify__generation_tells_inodes_apart),
	cmocka_unit_test(verify__hole),
	cmocka_unit_test(verify__not_a_whole_page),
	cmocka_unit_test(verify__caller_ends_it),
	cmocka_unit_test(verify__on_tmpfs),
	cmocka_unit_test(verify__relative_to_a_directory),
	cmocka_unit_test(verify__older_and_newer_callers),
	cmocka_unit_test(refused__what_is_no_file),
	cmocka_unit_test(refused__leased_and_not_disturbed),
	cmocka_unit_test(refused__owner_lives),
	cmocka_unit_test(refused__changed_meanwhile),
	cmocka_unit_test(refused__no_fiemap),
};

TEST_MAIN(cases)
