/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recover.c -- finishing or undoing what a dead owner left.
 *
 * Two may recover at once, or one while the next owner comes. So the record is
 * read again once the file is open: from then on nobody can lease it, and who
 * has no lease writes no record.
 */
#include "file/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stddef.h>

#include "base/opts.h"
#include "base/why.h"
#include "file/alone.h"
#include "file/look.h"
#include "file/seal.h"

struct work {
	const struct pinreg_sys *sys;
	int dirfd;
	const char *path;
	struct pinreg_why *why;
	struct pinreg_record_store store;
	struct pinreg_file_look look;
	struct pinreg_record record;
	struct pinreg_recovery_report *report;
};

static int call_failed(struct work *work, const char *step, int status)
{
	return pinreg_why_call(work->why, PINREG_REASON_FILE_SYSTEM_CALL, step, status);
}

/*
 * Read the record. 1: there is something to do. 0: the report says why not.
 * fd: the file, or -1 where it is not open.
 */
static int read_record(struct work *work, int fd)
{
	struct pinreg_recovery_report *report = work->report;
	uint64_t generation = 0;
	if (fd >= 0)
		work->sys->file_generation(fd, &generation);
	int status =
		pinreg_store_read(&work->store, &work->look, generation, &work->record, work->why);
	report->recovery = PINREG_RECOVERY_NOTHING;
	report->pid = 0;
	if (status == -ENOENT)
		return 0;
	if (status == -ESTALE) {
		work->record.phase = 0; /* of no phase of this file */
		return 1;
	}
	if (status)
		return status;
	report->pid = work->record.owner.pid;
	if (!report->pid)
		report->recovery = PINREG_RECOVERY_STANDING;
	else if (pinreg_owner_alive(work->sys, &work->record.owner))
		report->recovery = PINREG_RECOVERY_ALIVE;
	return report->recovery == PINREG_RECOVERY_NOTHING;
}

/* Everything is as it should be: the record goes last. */
static int done(struct work *work, enum pinreg_recovery recovery)
{
	int status = pinreg_store_remove(&work->store);
	if (status)
		return call_failed(work, "removing the record", status);
	work->report->recovery = recovery;
	return 0;
}

/* 1: it was sealed. 0, or -errno. */
static int unseal(struct work *work, int fd)
{
	bool was = false;
	if (!work->record.has_flags)
		return 0;
	int status = pinreg_seal_off(work->sys, fd, &work->record.old_flags, &was, work->why);
	/* durable before the record goes */
	if (!status && was) {
		status = work->sys->file_sync(fd);
		if (status)
			call_failed(work, "fsync", status);
	}
	return status ? status : was;
}

/* A hint for extents can be taken off only where there are none: else it stays. */
static int restore_flags(struct work *work, int fd)
{
	struct pinreg_file_flags now, old = work->record.old_flags;
	if (!work->record.has_flags || work->sys->file_flags_get(fd, &now) ||
	    (now.xflags == old.xflags && now.extsize == old.extsize))
		return 0;
	int status = work->sys->file_flags_set(fd, &old);
	if (status != -EINVAL || now.extsize == old.extsize)
		return status;
	old.extsize = now.extsize;
	old.xflags = (old.xflags & ~(uint32_t)FS_XFLAG_EXTSIZE) | (now.xflags & FS_XFLAG_EXTSIZE);
	return work->sys->file_flags_set(fd, &old);
}

/* Old size and flags; the lease is ours. */
static int restore(struct work *work, int fd)
{
	const struct pinreg_record *record = &work->record;
	/* also frees the blocks behind the end that were allocated first */
	int status = work->sys->file_resize(fd, record->old_size);
	if (status)
		return call_failed(work, "ftruncate", status);
	work->report->new_size = record->old_size;
	status = restore_flags(work, fd);
	if (status)
		return call_failed(work, "FS_IOC_FSSETXATTR", status);
	status = work->sys->file_sync(fd);
	if (status)
		return call_failed(work, "fsync", status);
	return done(work, PINREG_RECOVERY_UNDONE);
}

static int remove_file(struct work *work)
{
	uint64_t device, inode;
	int status = work->sys->path_look(work->dirfd, work->path, &device, &inode);
	if (!status && (device != work->look.device || inode != work->look.inode))
		status = -ESTALE;
	if (!status)
		status = work->sys->file_unlink(work->dirfd, work->path);
	if (status)
		return call_failed(work, "unlink", status);
	work->report->new_size = 0;
	return done(work, PINREG_RECOVERY_REMOVED);
}

/* With the lease: it cannot change under us. */
static int undo_alone(struct work *work, int fd)
{
	const struct pinreg_record *record = &work->record;
	int todo = read_record(work, fd);
	if (todo <= 0)
		return todo;
	if (record->phase != PINREG_PHASE_PREPARING)
		return pinreg_why_set(work->why, PINREG_REASON_FILE_TAKEN, -EBUSY);
	/* any size that preparing does not make is of somebody else's data */
	uint64_t page = work->sys->page_size();
	uint64_t whole_pages = (record->old_size + page - 1) / page * page;
	if (work->look.size != record->old_size && work->look.size != whole_pages &&
	    work->look.size != record->new_size)
		return done(work, PINREG_RECOVERY_CLEARED);
	return record->created ? remove_file(work) : restore(work, fd);
}

static int undo(struct work *work)
{
	struct pinreg_alone alone;
	int fd = pinreg_look_open(work->sys, work->dirfd, work->path, O_RDWR, &work->look,
				  work->why);
	if (fd < 0)
		return fd;
	int status = pinreg_alone_begin(&alone, work->sys, fd, work->why);
	if (!status) {
		status = undo_alone(work, fd);
		pinreg_alone_end(&alone);
	}
	work->sys->file_close(fd);
	return status;
}

/* The record says that its owner is dead; is it still so, with the file open? */
static int recover_open(struct work *work, int fd)
{
	int todo = read_record(work, fd);
	if (todo <= 0)
		return todo;
	if (!work->record.phase)
		return done(work, PINREG_RECOVERY_CLEARED);
	int sealed = unseal(work, fd);
	if (sealed < 0)
		return sealed;
	if (work->record.phase == PINREG_PHASE_PREPARING)
		return 1;
	return done(work, sealed ? PINREG_RECOVERY_UNSEALED : PINREG_RECOVERY_CLEARED);
}

static int recover_looked_at(struct work *work)
{
	int todo = read_record(work, -1);
	if (todo <= 0)
		return todo;
	int fd = pinreg_look_open(work->sys, work->dirfd, work->path, O_RDONLY, &work->look,
				  work->why);
	if (fd < 0)
		return fd;
	todo = recover_open(work, fd);
	work->sys->file_close(fd);
	return todo > 0 ? undo(work) : todo;
}

int pinreg_recover(const struct pinreg_sys *sys, int dirfd, const char *path,
		   struct pinreg_why *why, struct pinreg_recovery_report *out)
{
	struct work work = {
		.sys = sys,
		.dirfd = dirfd,
		.path = path,
		.why = why,
		.report = out,
	};
	int status = pinreg_look_at_path(sys, dirfd, path, &work.look, why);
	if (status == -ENOENT)
		return call_failed(&work, "open", status);
	if (status)
		return status;
	*out = (struct pinreg_recovery_report){
		.old_size = work.look.size,
		.new_size = work.look.size,
	};
	status = pinreg_store_open(&work.store, sys, dirfd, path, work.look.inode);
	if (status)
		return call_failed(&work, "open", status);
	status = recover_looked_at(&work);
	pinreg_store_close(&work.store);
	return status;
}

int pinreg_recover_first(const struct pinreg_sys *sys, int dirfd, const char *path,
			 struct pinreg_why *why)
{
	struct pinreg_recovery_report report;
	int status = pinreg_recover(sys, dirfd, path, why, &report);
	if (status == -ENOENT) {
		pinreg_why_set(why, PINREG_REASON_NONE, 0);
		return 0;
	}
	if (status || report.recovery != PINREG_RECOVERY_ALIVE)
		return status;
	struct pinreg_owner owner = { .pid = report.pid };
	return pinreg_owner_refuse(&owner, why);
}

const char *pinreg_recovery_name(enum pinreg_recovery recovery)
{
	static const char *const words[] = { "nothing", "alive",    "standing", "undone",
					     "removed", "unsealed", "cleared" };
	return recovery <= PINREG_RECOVERY_CLEARED ? words[recovery] : "?";
}
