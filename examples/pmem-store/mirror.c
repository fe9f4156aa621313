/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mirror.c -- an ordinary file that has what FILE has, at the same offsets.
 */
#include "mirror.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int mirror_read(const struct mirror *mirror, uint64_t offset, void *to, size_t length)
{
	char *at = to;

	while (length > 0) {
		ssize_t got = pread(mirror->fd, at, length, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return -EIO; /* shorter than it was made */
		at += got;
		offset += (uint64_t)got;
		length -= (size_t)got;
	}
	return 0;
}

int mirror_write(const struct mirror *mirror, uint64_t offset, const void *from, size_t length)
{
	const char *at = from;

	while (length > 0) {
		ssize_t put = pwrite(mirror->fd, at, length, (off_t)offset);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		at += put;
		offset += (uint64_t)put;
		length -= (size_t)put;
	}
	return 0;
}

int mirror_sync(const struct mirror *mirror)
{
	return fdatasync(mirror->fd) == 0 ? 0 : -errno;
}

static int look_inside(struct mirror *mirror, bool index_only, struct superblock *super,
		       enum format_found *found)
{
	uint8_t page[FORMAT_PAGE];
	struct stat now;

	if (flock(mirror->fd, LOCK_EX | LOCK_NB) != 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (fstat(mirror->fd, &now) != 0)
		return -errno;
	*found = FORMAT_DAMAGED;
	if (!S_ISREG(now.st_mode) || now.st_size < (off_t)sizeof(page))
		return 0;

	int ret = mirror_read(mirror, 0, page, sizeof(page));

	if (ret == 0 && format_decode_super(page, super) == FORMAT_VALID &&
	    (uint64_t)now.st_size >= (index_only ? super->data_offset : super->size))
		*found = FORMAT_VALID;
	return ret;
}

int mirror_open(struct mirror *mirror, const char *path, bool index_only, struct superblock *super,
		enum format_found *found)
{
	int ret;

	*mirror = (struct mirror){ .fd = -1, .path = strdup(path) };
	*found = FORMAT_FREE;
	if (!mirror->path)
		return -ENOMEM;
	mirror->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (mirror->fd < 0)
		return errno == ENOENT ? 0 : -errno;
	ret = look_inside(mirror, index_only, super, found);
	if (ret)
		mirror_close(mirror);
	return ret;
}

uint64_t mirror_size(const char *path)
{
	struct mirror mirror = { .fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) };
	uint8_t page[FORMAT_PAGE];
	struct superblock super;
	bool found;

	if (mirror.fd < 0)
		return 0;
	found = mirror_read(&mirror, 0, page, sizeof(page)) == 0 &&
		format_decode_super(page, &super) == FORMAT_VALID;
	close(mirror.fd);
	return found ? super.size : 0;
}

int mirror_begin(struct mirror *mirror, const char *path, uint64_t size)
{
	int ret;

	*mirror = (struct mirror){ .fd = -1, .path = strdup(path) };
	if (!mirror->path || asprintf(&mirror->building, "%s.new", path) < 0) {
		mirror->building = NULL;
		return -ENOMEM;
	}
	unlink(mirror->building); /* what a crash may have left */
	mirror->fd =
		open(mirror->building, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (mirror->fd < 0)
		return -errno;
	if (flock(mirror->fd, LOCK_EX | LOCK_NB) != 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	/* take the room now, so that no put fails for the want of it later */
	ret = posix_fallocate(mirror->fd, 0, (off_t)size);
	if (ret == EOPNOTSUPP || ret == EINVAL)
		ret = ftruncate(mirror->fd, (off_t)size) == 0 ? 0 : errno;
	return -ret;
}

static int sync_directory_of(const char *path)
{
	char *copy = strdup(path);
	int ret = 0;

	if (!copy)
		return -ENOMEM;

	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) != 0)
		ret = -errno;
	if (fd >= 0)
		close(fd);
	free(copy);
	return ret;
}

static int write_super(const struct mirror *mirror, const struct superblock *super)
{
	uint8_t page[FORMAT_PAGE];

	format_encode_super(super, page);
	return mirror_write(mirror, 0, page, sizeof(page));
}

int mirror_note(const struct mirror *mirror, const struct superblock *super)
{
	int ret = write_super(mirror, super);

	return ret ? ret : mirror_sync(mirror);
}

int mirror_finish(struct mirror *mirror, const struct superblock *super)
{
	int ret = write_super(mirror, super);

	if (ret == 0 && fsync(mirror->fd) != 0)
		ret = -errno;
	if (ret == 0 && rename(mirror->building, mirror->path) != 0)
		ret = -errno;
	if (ret)
		return ret;
	free(mirror->building);
	mirror->building = NULL;
	return sync_directory_of(mirror->path);
}

void mirror_close(struct mirror *mirror)
{
	if (mirror->building)
		unlink(mirror->building);
	if (mirror->fd >= 0)
		close(mirror->fd);
	free(mirror->building);
	free(mirror->path);
	*mirror = (struct mirror){ .fd = -1 };
}
