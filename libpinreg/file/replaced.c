/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replaced.c -- another inode at the path of a file.
 */
#include "file/replaced.h"

#include <errno.h>

#include "base/why.h"
#include "file/flags.h"
#include "file/look.h"
#include "file/recover.h"

/* Regions were planned for one device and one kind of memory. */
static int check(const struct pinreg_prepared *file, const struct pinreg_file_look *look,
		 struct pinreg_why *why)
{
	if (look->device != file->st_dev) {
		pinreg_why_call(why, PINREG_REASON_FILE_REPLACED, "on another filesystem", -EXDEV);
		return -EXDEV;
	}
	if (look->dax != file->dax) {
		pinreg_why_call(why, PINREG_REASON_FILE_REPLACED,
				look->dax ? "in DAX state" : "not in DAX state", -EOPNOTSUPP);
		return -EOPNOTSUPP;
	}
	return 0;
}

int pinreg_replaced_open(struct pinreg_prepared *file, struct pinreg_file_look *look,
			 struct pinreg_why *why)
{
	const struct pinreg_sys *sys = file->device->sys;
	int status = pinreg_recover_first(sys, file->dirfd, file->path, why);
	if (!status)
		status = pinreg_look_at_path(sys, file->dirfd, file->path, look, why);
	if (!status)
		status = check(file, look, why);
	if (status)
		return status;
	int fd = pinreg_look_open(sys, file->dirfd, file->path, O_RDWR, look, why);
	if (fd < 0)
		return fd;
	/* the state may have changed when the inode was read again */
	status = check(file, look, why);
	if (!status)
		return fd;
	sys->file_close(fd);
	return status;
}

int pinreg_replaced_take(struct pinreg_prepared *file, int fd, const struct pinreg_file_look *look)
{
	const struct pinreg_sys *sys = file->device->sys;
	/* the number stays: signals and the watch know the file by it */
	int status = sys->descriptor_replace(file->fd, fd);
	sys->file_close(fd);
	if (status)
		return status;
	file->inode = look->inode;
	file->mapped = false;
	file->report = (struct pinreg_file_report){ 0 };
	pinreg_flags_look(file, look);
	file->reopen = false; /* its DAX state is that of the old one already */
	return 0;
}
