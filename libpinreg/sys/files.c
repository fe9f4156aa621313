/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * files.c -- opening, looking at, resizing and reading the extents of files.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "pinreg_config.h"
#include "sys/fork.h"
#include "sys/real.h"

#ifndef PINREG_HAVE_STATX_ATTR_DAX
#define STATX_ATTR_DAX 0x00200000
#endif

int pinreg_real_file_open(int dirfd, const char *path, int flags, mode_t mode)
{
	pinreg_fork_begin();
	return pinreg_fork_opened(openat(dirfd, path, flags, mode));
}

int pinreg_real_file_close(int fd)
{
	pinreg_fork_begin();
	pinreg_fork_unlist(fd); /* first: once closed, the number is anybody's */
	int status = close(fd) ? -errno : 0;
	pinreg_fork_end();
	return status;
}

int pinreg_real_descriptor_copy(int fd)
{
	pinreg_fork_begin();
	return pinreg_fork_opened(fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

int pinreg_real_descriptor_replace(int fd, int with)
{
	/* no child can miss it: fd is listed in sys/fork.h, whatever it is */
	return dup3(with, fd, O_CLOEXEC) < 0 ? -errno : 0;
}

int pinreg_real_file_look(int fd, struct pinreg_file_look *out)
{
	struct statx stat;
	struct statfs fs;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &stat))
		return -errno;
	if (fstatfs(fd, &fs))
		return -errno;
	*out = (struct pinreg_file_look){
		.mode = stat.stx_mode,
		.size = stat.stx_size,
		.device = makedev(stat.stx_dev_major, stat.stx_dev_minor),
		.inode = stat.stx_ino,
		.dax = stat.stx_attributes & stat.stx_attributes_mask & STATX_ATTR_DAX,
		.overlay = fs.f_type == OVERLAYFS_SUPER_MAGIC,
		.tmpfs = fs.f_type == TMPFS_MAGIC,
		.immutable = stat.stx_attributes & stat.stx_attributes_mask & STATX_ATTR_IMMUTABLE,
		.seals_cache = fs.f_type == XFS_SUPER_MAGIC || fs.f_type == TMPFS_MAGIC,
		.links = stat.stx_nlink,
		.owner = stat.stx_uid,
		.extent_hints = fs.f_type == XFS_SUPER_MAGIC,
		.allocated = stat.stx_blocks * 512,
		.room = (uint64_t)fs.f_bfree * (uint64_t)fs.f_bsize,
	};
	if (stat.stx_mask & STATX_BTIME)
		out->born_ns =
			(uint64_t)stat.stx_btime.tv_sec * 1000000000u + stat.stx_btime.tv_nsec;
	return 0;
}

int pinreg_real_path_look(int dirfd, const char *path, uint64_t *device, uint64_t *inode)
{
	struct statx stat;
	if (statx(dirfd, path, AT_SYMLINK_NOFOLLOW, STATX_INO, &stat))
		return -errno;
	*device = makedev(stat.stx_dev_major, stat.stx_dev_minor);
	*inode = stat.stx_ino;
	return 0;
}

int pinreg_real_file_unlink(int dirfd, const char *path)
{
	return unlinkat(dirfd, path, 0) ? -errno : 0;
}

int pinreg_real_file_rename(int dirfd, const char *from, const char *to)
{
	return renameat(dirfd, from, dirfd, to) ? -errno : 0;
}

int pinreg_real_file_write(int fd, const void *data, size_t length)
{
	for (const char *at = data; length;) {
		ssize_t done = write(fd, at, length);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		at += done;
		length -= (size_t)done;
	}
	return 0;
}

ssize_t pinreg_real_file_read(int fd, void *data, size_t length)
{
	size_t got = 0;
	while (got < length) {
		ssize_t part = read(fd, (char *)data + got, length - got);
		if (part < 0 && errno == EINTR)
			continue;
		if (part < 0)
			return -errno;
		if (!part)
			break;
		got += (size_t)part;
	}
	return (ssize_t)got;
}

int pinreg_real_file_allocate(int fd, int mode, uint64_t offset, uint64_t length)
{
	int status = fallocate(fd, mode, (off_t)offset, (off_t)length) ? -errno : 0;
	if (status != -EINTR)
		return status;
	/* tmpfs gives all of it back: where signals come more often, it would never end */
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	do {
		status = fallocate(fd, mode, (off_t)offset, (off_t)length) ? -errno : 0;
	} while (status == -EINTR);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return status;
}

int pinreg_real_file_resize(int fd, uint64_t size)
{
	return ftruncate(fd, (off_t)size) ? -errno : 0;
}

int pinreg_real_file_zero(int fd, uint64_t offset, uint64_t length)
{
	static const char zeros[64 << 10];
	while (length) {
		size_t part = length < sizeof(zeros) ? (size_t)length : sizeof(zeros);
		ssize_t done = pwrite(fd, zeros, part, (off_t)offset);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		offset += (uint64_t)done;
		length -= (uint64_t)done;
	}
	return 0;
}

int pinreg_real_file_seek(int fd, uint64_t offset, bool data, uint64_t *out)
{
	off_t at = lseek(fd, (off_t)offset, data ? SEEK_DATA : SEEK_HOLE);
	if (at < 0)
		return -errno;
	*out = (uint64_t)at;
	return 0;
}

int pinreg_real_file_sync(int fd)
{
	return fsync(fd) ? -errno : 0;
}

int pinreg_real_file_extents(int fd, struct fiemap *map)
{
	return ioctl(fd, FS_IOC_FIEMAP, map) ? -errno : 0;
}

int pinreg_real_file_generation(int fd, uint64_t *out)
{
	/* said to be a long, written as an int */
	unsigned int generation[2] = { 0 };
	if (ioctl(fd, FS_IOC_GETVERSION, generation))
		return -errno;
	*out = generation[0];
	return 0;
}
