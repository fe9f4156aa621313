/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crash_sys.c -- a table of system calls that kills its process at one of them.
 */
#include "support/crash_sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/fake_device.h"
#include "support/test.h"

static const struct pinreg_sys *const real = &pinreg_sys_real;
static struct pinreg_sys table;
static _Atomic(int) left; /* calls until death; 0: not armed */
static const char *path;
static bool faked;
static struct pinreg_file_flags *flags; /* shared with our children */

static void count(void)
{
	if (atomic_load(&left) > 0 && atomic_fetch_sub(&left, 1) == 1)
		kill(getpid(), SIGKILL);
}

static int file_open(int dirfd, const char *name, int how, mode_t mode)
{
	count();
	bool writes = (how & O_ACCMODE) != O_RDONLY;
	if (faked && writes && !strcmp(name, path) && flags->xflags & FS_XFLAG_IMMUTABLE)
		return -EPERM;
	return real->file_open(dirfd, name, how, mode);
}

static int file_look(int fd, struct pinreg_file_look *out)
{
	int status = real->file_look(fd, out);
	if (faked && !status) {
		out->seals_cache = true;
		out->immutable = flags->xflags & FS_XFLAG_IMMUTABLE;
	}
	return status;
}

static bool is_nameless(int fd)
{
	struct stat look;
	return !fstat(fd, &look) && !look.st_nlink;
}

static int file_flags_get(int fd, struct pinreg_file_flags *out)
{
	if (!faked)
		return real->file_flags_get(fd, out);
	*out = is_nameless(fd) ? (struct pinreg_file_flags){ 0 } : *flags;
	return 0;
}

static int file_flags_set(int fd, const struct pinreg_file_flags *to)
{
	count();
	if (!faked)
		return real->file_flags_set(fd, to);
	if (!is_nameless(fd))
		*flags = *to;
	return 0;
}

static int file_close(int fd)
{
	count();
	return real->file_close(fd);
}

static int file_unlink(int dirfd, const char *name)
{
	count();
	return real->file_unlink(dirfd, name);
}

static int file_rename(int dirfd, const char *from, const char *to)
{
	count();
	return real->file_rename(dirfd, from, to);
}

static int file_write(int fd, const void *data, size_t length)
{
	count();
	/* in two, with death in between */
	int status = real->file_write(fd, data, length / 2);
	count();
	return status ? status
		      : real->file_write(fd, (const char *)data + length / 2, length - length / 2);
}

static int file_allocate(int fd, int mode, uint64_t offset, uint64_t length)
{
	count();
	return real->file_allocate(fd, mode, offset, length);
}

static int file_resize(int fd, uint64_t size)
{
	count();
	return real->file_resize(fd, size);
}

static int file_zero(int fd, uint64_t offset, uint64_t length)
{
	count();
	return real->file_zero(fd, offset, length);
}

static int file_sync(int fd)
{
	count();
	return real->file_sync(fd);
}

static int populate(void *addr, uint64_t length, bool write)
{
	count();
	return real->populate(addr, length, write);
}

static int map(int fd, uint64_t length, bool sync, void **out)
{
	count();
	return real->map(fd, length, sync, out);
}

static int lease_take(int fd, int signal, pid_t thread)
{
	count();
	return real->lease_take(fd, signal, thread);
}

static int lease_release(int fd)
{
	count();
	return real->lease_release(fd);
}

const struct pinreg_sys *crash_sys(bool fake_flags, const char *of)
{
	const struct pinreg_sys *fake = fake_device_sys();
	if (!flags)
		flags = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(flags, MAP_FAILED);
	path = of;
	faked = fake_flags;
	table = *real;
	table.device_query = fake->device_query;
	table.port_query = fake->port_query;
	table.file_open = file_open;
	table.file_look = file_look;
	table.file_flags_get = file_flags_get;
	table.file_flags_set = file_flags_set;
	table.file_close = file_close;
	table.file_unlink = file_unlink;
	table.file_rename = file_rename;
	table.file_write = file_write;
	table.file_allocate = file_allocate;
	table.file_resize = file_resize;
	table.file_zero = file_zero;
	table.file_sync = file_sync;
	table.populate = populate;
	table.map = map;
	table.lease_take = lease_take;
	table.lease_release = lease_release;
	return &table;
}

void crash_sys_arm(unsigned int number)
{
	atomic_store(&left, (int)number);
}

uint32_t crash_sys_flags(void)
{
	struct pinreg_file_flags now = { 0 };
	if (faked)
		return access(path, F_OK) ? 0 : flags->xflags;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	real->file_flags_get(fd, &now);
	close(fd);
	return now.xflags;
}

void crash_sys_reset(void)
{
	*flags = (struct pinreg_file_flags){ 0 };
}
