/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * look.c -- is what a path leads to a file for us?
 */
#include "file/look.h"

#include <errno.h>
#include <fcntl.h>

#include "base/why.h"

int pinreg_look_check(const struct pinreg_file_look *look, struct pinreg_why *why)
{
	if (S_ISLNK(look->mode))
		return pinreg_why_set(why, PINREG_REASON_FILE_SYMLINK, -ELOOP);
	if (S_ISDIR(look->mode))
		return pinreg_why_set(why, PINREG_REASON_FILE_NOT_REGULAR, -EISDIR);
	if (!S_ISREG(look->mode))
		return pinreg_why_set(why, PINREG_REASON_FILE_NOT_REGULAR, -EINVAL);
	if (look->overlay)
		return pinreg_why_set(why, PINREG_REASON_FILE_OVERLAY, -EOPNOTSUPP);
	return 0;
}

int pinreg_look_at_path(const struct pinreg_sys *sys, int dirfd, const char *path,
			struct pinreg_file_look *look, struct pinreg_why *why)
{
	int fd = sys->file_open(dirfd, path, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd == -ENOENT)
		return fd;
	if (fd < 0)
		return pinreg_why_call(why, PINREG_REASON_FILE_SYSTEM_CALL, "open", fd);
	int status = sys->file_look(fd, look);
	sys->file_close(fd);
	if (status)
		return pinreg_why_call(why, PINREG_REASON_FILE_SYSTEM_CALL, "statx", status);
	return pinreg_look_check(look, why);
}

int pinreg_look_open(const struct pinreg_sys *sys, int dirfd, const char *path, int access,
		     struct pinreg_file_look *look, struct pinreg_why *why)
{
	/* O_NONBLOCK: who has a lease must not make us wait */
	int flags = access | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	struct pinreg_file_look before = *look;
	int fd = sys->file_open(dirfd, path, flags, 0);
	if (fd == -EAGAIN)
		return pinreg_why_set(why, PINREG_REASON_FILE_IN_USE, -EBUSY);
	if (fd < 0)
		return pinreg_why_call(why, PINREG_REASON_FILE_SYSTEM_CALL, "open", fd);
	int status = sys->file_look(fd, look);
	if (status)
		pinreg_why_call(why, PINREG_REASON_FILE_SYSTEM_CALL, "statx", status);
	else if (look->device != before.device || look->inode != before.inode)
		status = pinreg_why_set(why, PINREG_REASON_FILE_REPLACED, -ESTALE);
	if (!status)
		return fd;
	sys->file_close(fd);
	return status;
}
