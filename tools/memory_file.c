/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory_file.c -- a file or a DAX device, mapped as it is: nothing is prepared.
 */
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "sys/lease_holder.h"

struct source {
	const char *path;
	int fd;
	uint64_t size;
	uint64_t unit; /* mappings are whole ones of these */
};

static enum status refuse(const struct source *source, int error, struct failure *failure)
{
	return fail(failure, STATUS_REFUSED, error, "cannot open %s: %s", source->path,
		    strerror(error));
}

/* A number that the kernel tells of a character device; 0 where it does not. */
static uint64_t device_number(dev_t device, const char *name)
{
	char path[96];
	uint64_t value = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/%s", major(device), minor(device), name);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%" SCNu64, &value) != 1)
		value = 0;
	fclose(file);
	return value;
}

/* May it be opened at all? Asked of a descriptor that opens nothing. */
static enum status check(const struct source *source, const struct stat *status, bool write,
			 struct failure *failure)
{
	pid_t holder;

	if (S_ISDIR(status->st_mode))
		return refuse(source, EISDIR, failure);
	if (S_ISCHR(status->st_mode) && device_number(status->st_rdev, "align"))
		return STATUS_GOOD;
	if (!S_ISREG(status->st_mode))
		return fail(failure, STATUS_REFUSED, EINVAL,
			    "%s is neither a regular file nor a DAX device", source->path);
	holder = pinreg_real_lease_holder(status->st_dev, status->st_ino, write);
	if (holder > 0)
		return fail(failure, STATUS_REFUSED, EBUSY,
			    "process %d holds a lease on %s, which opening it would break", holder,
			    source->path);
	if (holder < 0)
		return fail(failure, STATUS_REFUSED, EBUSY,
			    "somebody holds a lease on %s, which opening it would break",
			    source->path);
	return STATUS_GOOD;
}

static enum status measure(struct source *source, const struct stat *status,
			   struct failure *failure)
{
	struct statfs filesystem;

	source->unit = (uint64_t)sysconf(_SC_PAGESIZE);
	if (S_ISCHR(status->st_mode)) {
		source->size = device_number(status->st_rdev, "size");
		source->unit = device_number(status->st_rdev, "align");
	} else {
		source->size = (uint64_t)status->st_size;
		if (!fstatfs(source->fd, &filesystem) && filesystem.f_type == HUGETLBFS_MAGIC)
			source->unit = (uint64_t)filesystem.f_bsize;
	}
	if (!source->size)
		return fail(failure, STATUS_REFUSED, EINVAL, "%s is empty: there is nothing to map",
			    source->path);
	return STATUS_GOOD;
}

/* Leaves a descriptor in *source, also on failure. */
static enum status open_source(struct source *source, bool write, struct failure *failure)
{
	int place = open(source->path, O_PATH | O_CLOEXEC);
	struct stat status;
	char link[32];
	enum status result = STATUS_GOOD;

	if (place < 0)
		return refuse(source, errno, failure);
	if (fstat(place, &status))
		result = refuse(source, errno, failure);
	if (!result)
		result = check(source, &status, write, failure);
	if (!result) {
		/* the very file that was checked; O_NONBLOCK: a lease taken since then */
		snprintf(link, sizeof(link), "/proc/self/fd/%d", place);
		source->fd = open(link, (write ? O_RDWR : O_RDONLY) | O_NONBLOCK | O_CLOEXEC);
		result = source->fd < 0 ? refuse(source, errno, failure)
					: measure(source, &status, failure);
	}
	close(place);
	return result;
}

static enum status map_source(const struct source *source, const struct memory_request *request,
			      bool read_only, struct memory *out, struct failure *failure)
{
	uint64_t start = request->offset - request->offset % source->unit;
	uint64_t before = request->offset - start;
	uint64_t length = request->length;
	uint64_t whole;

	if (request->offset >= source->size)
		return fail(failure, STATUS_REFUSED, EINVAL,
			    "--offset %" PRIu64 " is past the end of %s, which has %" PRIu64
			    " bytes",
			    request->offset, source->path, source->size);
	if (!length)
		length = source->size - request->offset;
	/* length may reach behind the end: what that means is the library's to say */
	if (length > INT64_MAX - source->unit - request->offset)
		return fail(failure, STATUS_REFUSED, EOVERFLOW,
			    "--offset and --length together are no place in a file");
	whole = (before + length + source->unit - 1) / source->unit * source->unit;
	out->writable = !read_only;
	out->map = mmap(NULL, whole, PROT_READ | (read_only ? 0 : PROT_WRITE),
			request->private ? MAP_PRIVATE : MAP_SHARED, source->fd, (off_t)start);
	if (out->map == MAP_FAILED)
		return fail(failure, STATUS_REFUSED, errno,
			    "cannot map %" PRIu64 " bytes of %s: %s", whole, source->path,
			    strerror(errno));
	out->map_length = whole;
	out->addr = (char *)out->map + before;
	out->length = length;
	return STATUS_GOOD;
}

enum status memory_of_file(const struct memory_request *request, bool read_only, struct memory *out,
			   struct failure *failure)
{
	struct source source = { .path = request->file, .fd = -1 };
	enum status status = open_source(&source, !read_only && !request->private, failure);

	if (!status)
		status = map_source(&source, request, read_only, out, failure);
	out->fd = source.fd; /* memory_free() closes it */
	return status;
}
