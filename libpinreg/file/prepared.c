/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * prepared.c -- opening, looking at, mapping and closing a file.
 */
#include "file/prepared.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/why.h"
#include "file/flags.h"
#include "file/look.h"
#include "file/range.h"

static int open_for_use(struct pinreg_prepared *file, const struct pinreg_file_opts *opts,
			struct pinreg_why *why)
{
	const struct pinreg_sys *sys = file->device->sys;
	struct pinreg_file_look look;
	int status = pinreg_look_at_path(sys, file->dirfd, file->path, &look, why);
	if (status == -ENOENT && opts->create && opts->length) {
		file->fd = sys->file_open(file->dirfd, file->path,
					  PINREG_PREPARED_OPEN | O_CREAT | O_EXCL,
					  opts->mode ? opts->mode : 0600);
		file->created = file->fd >= 0;
	} else if (status == -ENOENT) {
		return pinreg_why_call(why, PINREG_REASON_FILE_SYSTEM_CALL, "open", status);
	} else if (status) {
		return status;
	} else {
		file->fd = sys->file_open(file->dirfd, file->path, PINREG_PREPARED_OPEN, 0);
	}
	if (file->fd == -EAGAIN)
		return pinreg_why_set(why, PINREG_REASON_FILE_IN_USE, -EBUSY);
	if (file->fd < 0)
		return pinreg_why_call(why, PINREG_REASON_FILE_SYSTEM_CALL, "open", file->fd);
	return 0;
}

/* What was opened may be another inode than the one looked at: check again. */
static int check_opened(struct pinreg_prepared *file, const struct pinreg_file_opts *opts,
			struct pinreg_why *why)
{
	struct pinreg_file_look look;
	int status = file->device->sys->file_look(file->fd, &look);
	if (status)
		return pinreg_why_call(why, PINREG_REASON_FILE_SYSTEM_CALL, "statx", status);
	/* first: what was created must be found again to be removed */
	file->st_dev = look.device;
	file->inode = look.inode;
	status = pinreg_look_check(&look, why);
	if (status)
		return status;
	file->length = opts->length ? opts->length : look.size;
	file->dax = look.dax;
	file->tmpfs = look.tmpfs;
	pinreg_flags_look(file, &look);
	if (!look.dax && !file->reopen && !opts->allow_page_cache)
		return pinreg_why_set(why, PINREG_REASON_FILE_NOT_DAX, -EOPNOTSUPP);

	uint64_t page = file->device->sys->page_size();
	if (!file->length || file->length % page || file->length > INT64_MAX) {
		pinreg_why_set(why, PINREG_REASON_FILE_SIZE, -EINVAL);
		if (why) {
			why->wanted = file->length;
			why->limit = page;
		}
		return -EINVAL;
	}
	return 0;
}

int pinreg_prepared_open(struct pinreg_prepared *file, struct pinreg_device *device, int dirfd,
			 const char *path, const struct pinreg_file_opts *opts,
			 struct pinreg_why *why)
{
	*file = (struct pinreg_prepared){ .device = device, .dirfd = AT_FDCWD, .fd = -1 };
	file->old_size = UINT64_MAX;
	file->threads = opts->threads;
	file->allow_page_cache = opts->allow_page_cache;
	file->progress = opts->progress;
	file->progress_context = opts->progress_context;
	file->path = strdup(path);
	if (!file->path)
		return pinreg_why_call(why, PINREG_REASON_FILE_SYSTEM_CALL, "strdup", -ENOMEM);
	int status = 0;
	if (path[0] != '/') {
		/* of our own: the working directory and the caller's may change */
		file->dirfd =
			device->sys->file_open(dirfd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
		if (file->dirfd < 0)
			status = pinreg_why_call(why, PINREG_REASON_FILE_SYSTEM_CALL, "open",
						 file->dirfd);
	}
	if (!status)
		status = open_for_use(file, opts, why);
	if (!status)
		status = check_opened(file, opts, why);
	if (status)
		pinreg_prepared_close(file);
	return status;
}

int pinreg_prepared_check_path(struct pinreg_prepared *file)
{
	uint64_t device, inode;
	int status = file->device->sys->path_look(file->dirfd, file->path, &device, &inode);
	if (status == -ENOTDIR || status == -ELOOP)
		return -ENOENT;
	if (status)
		return status;
	return device == file->st_dev && inode == file->inode ? 0 : -ESTALE;
}

void pinreg_prepared_close(struct pinreg_prepared *file)
{
	const struct pinreg_sys *sys = file->device->sys;
	pinreg_range_free(file);
	if (file->created && !pinreg_prepared_check_path(file))
		sys->file_unlink(file->dirfd, file->path);
	else
		pinreg_flags_restore(file, false);
	if (file->fd >= 0)
		sys->file_close(file->fd);
	if (file->dirfd >= 0)
		sys->file_close(file->dirfd);
	free(file->path);
	*file = (struct pinreg_prepared){ .device = file->device, .dirfd = AT_FDCWD, .fd = -1 };
}

void pinreg_prepared_undo(struct pinreg_prepared *file, struct pinreg_tenure *tenure)
{
	if (!pinreg_tenure_sure(tenure))
		return;
	/* also frees the blocks behind the end that a failed fallocate left */
	if (file->old_size != UINT64_MAX)
		file->device->sys->file_resize(file->fd, file->old_size);
	pinreg_flags_restore(file, true);
}

void pinreg_prepared_keep(struct pinreg_prepared *file)
{
	file->created = false;
	file->old_size = UINT64_MAX;
	file->old_flags = file->flags;
	file->empty = false;
	/* later preparations are a thread's of the library: the function is not for it */
	file->progress = NULL;
}
