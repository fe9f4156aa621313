/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_prepare_faults.c -- each call that preparing makes, failing: the error and its
 * reason, and the file as it was. The table says that the host's files are DAX files.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/hooks.h"
#include "support/test.h"

#define MIB ((uint64_t)1 << 20)
#define LENGTH (16 * MIB)

enum call {
	OPEN = 1,
	LOOK,
	EXTENTS,
	ALLOCATE,
	RESIZE,
	MAP,
	POPULATE,
	SYNC,
	PERSIST,
};

/* The at-th such call gives error. */
static struct {
	enum call call;
	unsigned int at;
	int error;
	atomic_uint count;
	bool cached; /* no DAX */
} fault;

static int fails(enum call call)
{
	return call == fault.call && atomic_fetch_add(&fault.count, 1) + 1 == fault.at ? fault.error
										       : 0;
}

#define OR_REAL(call, function)                                                                    \
	do {                                                                                       \
		int error_ = fails(call);                                                          \
		return error_ ? error_ : pinreg_sys_real.function;                                 \
	} while (0)

static int open_file(int dirfd, const char *path, int flags, mode_t mode)
{
	/* not its record, nor its directory */
	if (flags & O_PATH || !strstr(path, "/file"))
		return pinreg_sys_real.file_open(dirfd, path, flags, mode);
	OR_REAL(OPEN, file_open(dirfd, path, flags, mode));
}

static int look(int fd, struct pinreg_file_look *out)
{
	int status = fails(LOOK);
	if (!status)
		status = pinreg_sys_real.file_look(fd, out);
	out->dax = !fault.cached;
	return status;
}

static int extents(int fd, struct fiemap *map)
{
	OR_REAL(EXTENTS, file_extents(fd, map));
}

static int allocate(int fd, int mode, uint64_t offset, uint64_t length)
{
	OR_REAL(ALLOCATE, file_allocate(fd, mode, offset, length));
}

static int resize(int fd, uint64_t size)
{
	OR_REAL(RESIZE, file_resize(fd, size));
}

static int map(int fd, uint64_t length, bool sync, void **out)
{
	OR_REAL(MAP, map(fd, length, sync, out));
}

static int populate(void *addr, uint64_t length, bool write)
{
	OR_REAL(POPULATE, populate(addr, length, write));
}

static int sync_file(int fd)
{
	OR_REAL(SYNC, file_sync(fd));
}

static int zero(int fd, uint64_t offset, uint64_t length)
{
	OR_REAL(POPULATE, file_zero(fd, offset, length));
}

static int persist_open(int fd, void *addr, uint64_t length, bool map_sync,
			struct pinreg_persist **out)
{
	OR_REAL(PERSIST, persist_open(fd, addr, length, map_sync, out));
}

static struct pinreg_domain *domain;

static const char *start(void)
{
	static char path[256];
	hooks.file_open = open_file;
	hooks.file_look = look;
	hooks.file_extents = extents;
	hooks.file_allocate = allocate;
	hooks.file_resize = resize;
	hooks.map = map;
	hooks.populate = populate;
	hooks.file_sync = sync_file;
	hooks.file_zero = zero;
	hooks.persist_open = persist_open;
	domain = hooks_domain(1);
	strcpy(path, host_path(host_directory(), "file"));
	return path;
}

static void expect_content(const char *path, unsigned int pages)
{
	unsigned char byte;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	test_ok(fd);
	for (unsigned int i = 0; i < pages * 4096; i += 511) {
		assert_int_equal(pread(fd, &byte, 1, i), 1);
		assert_int_equal(byte, host_byte(i));
	}
	close(fd);
}

/* A new file, one that grows: each is as before, and nothing of ours is left. */
static void expect(const char *path, enum call call, unsigned int at, int error, int result,
		   enum pinreg_reason reason)
{
	struct pinreg_file_opts opts = {
		.size = sizeof(opts),
		.length = LENGTH,
		.create = 1,
		.threads = 1,
		.allow_page_cache = fault.cached,
	};
	struct stat before, after;
	for (unsigned int pages = 0; pages < 5; pages += 4) {
		struct pinreg_file *file = NULL;
		struct pinreg_why why;
		unlink(path);
		if (pages)
			test_ok(stat(host_file(path, pages), &before));
		fault.call = call;
		fault.at = at;
		fault.error = error;
		fault.count = 0;
		int status = pinreg_file_open(domain, AT_FDCWD, path, &opts, &why, &file);
		fault.call = 0;
		if (status != result || why.reason != reason || why.error != result)
			fail_msg("call %d, %u pages: %d, %s", call, pages, status,
				 pinreg_reason_name(why.reason));
		assert_null(file);
		assert_int_equal(access(path, F_OK), pages ? 0 : -1);
		if (!pages)
			continue;
		test_ok(stat(path, &after));
		assert_int_equal(after.st_size, before.st_size);
		assert_int_equal(after.st_blocks, before.st_blocks);
		expect_content(path, pages);
		/* what is left can be prepared */
		test_ok(pinreg_file_open(domain, AT_FDCWD, path, &opts, &why, &file));
		test_ok(pinreg_file_close(file));
		expect_content(path, pages);
	}
}

#define CALL PINREG_REASON_FILE_SYSTEM_CALL
#define NO_SPACE PINREG_REASON_FILE_NO_SPACE

static void no_room__of_blocks_quota_or_size(void **state)
{
	(void)state;
	const char *path = start();
	expect(path, ALLOCATE, 1, -ENOSPC, -ENOSPC, NO_SPACE);
	expect(path, ALLOCATE, 1, -EDQUOT, -EDQUOT, NO_SPACE);
	expect(path, ALLOCATE, 1, -EFBIG, -EFBIG, NO_SPACE);
	expect(path, RESIZE, 1, -ENOSPC, -ENOSPC, NO_SPACE);
	expect(path, RESIZE, 1, -EFBIG, -EFBIG, NO_SPACE);
	expect(path, OPEN, 1, -EDQUOT, -EDQUOT, CALL);
	host_domain_close(domain);
}

static void device__cannot_be_written(void **state)
{
	(void)state;
	const char *path = start();
	expect(path, ALLOCATE, 1, -EIO, -EIO, CALL);
	expect(path, POPULATE, 1, -EFAULT, -EIO, CALL);
	expect(path, POPULATE, 2, -EHWPOISON, -EIO, CALL);
	expect(path, POPULATE, 3, -EIO, -EIO, CALL);
	expect(path, SYNC, 1, -EIO, -EIO, CALL);
	expect(path, EXTENTS, 1, -EIO, -EIO, CALL);
	expect(path, EXTENTS, 2, -EIO, -EIO, CALL);
	expect(path, EXTENTS, 3, -EIO, -EIO, CALL);
	host_domain_close(domain);
}

static void page_cache__cannot_be_written(void **state)
{
	(void)state;
	const char *path = start();
	fault.cached = true;
	expect(path, POPULATE, 1, -EIO, -EIO, CALL);
	expect(path, POPULATE, 1, -ENOSPC, -ENOSPC, CALL);
	expect(path, SYNC, 1, -EIO, -EIO, CALL);
	expect(path, SYNC, 2, -EIO, -EIO, CALL);
	host_domain_close(domain);
}

static void filesystem__is_read_only(void **state)
{
	(void)state;
	const char *path = start();
	expect(path, OPEN, 1, -EROFS, -EROFS, CALL);
	/* it became so, after an error for example */
	expect(path, ALLOCATE, 1, -EROFS, -EROFS, CALL);
	expect(path, RESIZE, 1, -EROFS, -EROFS, CALL);
	host_domain_close(domain);
}

static void file__is_in_use(void **state)
{
	(void)state;
	const char *path = start();
	expect(path, OPEN, 1, -EAGAIN, -EBUSY, PINREG_REASON_FILE_IN_USE);
	host_domain_close(domain);
}

static void wants__of_memory_and_mappings(void **state)
{
	(void)state;
	const char *path = start();
	expect(path, MAP, 1, -ENOMEM, -ENOMEM, CALL);
	expect(path, MAP, 2, -ENOMEM, -ENOMEM, CALL);
	expect(path, POPULATE, 1, -ENOMEM, -ENOMEM, CALL);
	expect(path, PERSIST, 1, -ENOMEM, -ENOMEM, CALL);
	host_domain_close(domain);
}

static void looking__fails(void **state)
{
	(void)state;
	const char *path = start();
	fault.cached = true;
	expect(path, EXTENTS, 1, -EOPNOTSUPP, -EOPNOTSUPP, CALL);
	expect(path, LOOK, 2, -EIO, -EIO, CALL);
	host_domain_close(domain);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(no_room__of_blocks_quota_or_size),
	cmocka_unit_test(device__cannot_be_written),
	cmocka_unit_test(page_cache__cannot_be_written),
	cmocka_unit_test(filesystem__is_read_only),
	cmocka_unit_test(file__is_in_use),
	cmocka_unit_test(wants__of_memory_and_mappings),
	cmocka_unit_test(looking__fails),
};

TEST_MAIN(cases)
