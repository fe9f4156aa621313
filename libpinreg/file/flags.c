/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flags.c -- the DAX flag and the extent-size hint of a file without blocks.
 */
#include "file/flags.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>

#include "base/why.h"

/* What a huge page maps. */
#define HUGE ((uint32_t)2 << 20)

/*
 * Can it become a DAX file? The filesystem may be mounted so that each inode decides.
 * Where nothing is known of the device, it is tried only if nothing else will do.
 */
static bool may_become_dax(const struct pinreg_prepared *file, const struct pinreg_file_look *look)
{
	if (look->dax || look->tmpfs || !file->has_flags)
		return false;
	/* who has the flag already only waits for the inode to leave the cache */
	if (!(file->flags.xflags & FS_XFLAG_DAX) && (look->size || !file->empty))
		return false;
	int can = file->device->sys->device_can_dax(look->device);
	return can > 0 || (can < 0 && !file->allow_page_cache);
}

void pinreg_flags_look(struct pinreg_prepared *file, const struct pinreg_file_look *look)
{
	const struct pinreg_sys *sys = file->device->sys;
	file->has_flags = !sys->file_flags_get(file->fd, &file->flags);
	file->old_flags = file->flags;
	file->empty = !look->allocated;
	file->reopen = may_become_dax(file, look);
	/* somebody's own hint is kept */
	file->hint = file->has_flags && look->extent_hints && file->empty && file->length >= HUGE &&
		     !file->flags.extsize;
}

static int set(struct pinreg_prepared *file, const struct pinreg_file_flags *flags)
{
	if (flags->xflags == file->flags.xflags && flags->extsize == file->flags.extsize)
		return 0;
	int status = file->device->sys->file_flags_set(file->fd, flags);
	if (!status)
		file->flags = *flags;
	return status;
}

/* -EOPNOTSUPP, where it has to do without, 0. */
static int remains_cached(struct pinreg_prepared *file, struct pinreg_why *why)
{
	set(file, &file->old_flags);
	if (file->allow_page_cache)
		return 0;
	return pinreg_why_set(why, PINREG_REASON_FILE_NOT_DAX, -EOPNOTSUPP);
}

static int open_again(struct pinreg_prepared *file, struct pinreg_why *why)
{
	const struct pinreg_sys *sys = file->device->sys;
	struct pinreg_file_look look;
	/* the flag is looked at when the inode is read, so it has to leave the cache */
	sys->file_close(file->fd);
	file->fd = sys->file_open(file->dirfd, file->path, PINREG_PREPARED_OPEN, 0);
	if (file->fd == -EAGAIN)
		return pinreg_why_set(why, PINREG_REASON_FILE_IN_USE, -EBUSY);
	if (file->fd < 0)
		return pinreg_why_call(why, PINREG_REASON_FILE_SYSTEM_CALL, "open", file->fd);
	int status = sys->file_look(file->fd, &look);
	if (status)
		return pinreg_why_call(why, PINREG_REASON_FILE_SYSTEM_CALL, "statx", status);
	if (look.device != file->st_dev || look.inode != file->inode) {
		/* not the one whose flags are known */
		file->flags = file->old_flags;
		return pinreg_why_set(why, PINREG_REASON_FILE_REPLACED, -ESTALE);
	}
	file->dax = look.dax;
	return 0;
}

int pinreg_prepared_reopen(struct pinreg_prepared *file, struct pinreg_why *why)
{
	struct pinreg_file_flags flags = file->flags;
	if (!file->reopen)
		return 0;
	file->reopen = false;
	flags.xflags |= FS_XFLAG_DAX;
	if (set(file, &flags))
		return remains_cached(file, why);
	int status = open_again(file, why);
	return status || file->dax ? status : remains_cached(file, why);
}

void pinreg_flags_hint(struct pinreg_prepared *file)
{
	struct pinreg_file_flags flags = file->flags;
	if (!file->hint || !file->dax)
		return;
	file->hint = false;
	flags.xflags |= FS_XFLAG_EXTSIZE;
	flags.extsize = HUGE;
	/* refused where the filesystem is too small for it: it is a hint */
	set(file, &flags);
}

void pinreg_flags_restore(struct pinreg_prepared *file, bool alone)
{
	const struct pinreg_sys *sys = file->device->sys;
	if (file->fd < 0)
		return;
	if (alone && file->empty && file->flags.extsize != file->old_flags.extsize)
		sys->file_allocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
				   file->length);
	set(file, &file->old_flags);
}
