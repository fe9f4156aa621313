/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard.c -- the record and the seal of a file that we have open.
 */
#include "file/guard.h"

#include <errno.h>
#include <linux/fs.h>

#include "base/why.h"
#include "file/alone.h"
#include "file/seal.h"

static int call_failed(struct pinreg_why *why, const char *step, int status)
{
	return pinreg_why_call(why, PINREG_REASON_FILE_SYSTEM_CALL, step, status);
}

int pinreg_guard_open(struct pinreg_guard *guard, const struct pinreg_prepared *file,
		      enum pinreg_seal seal, struct pinreg_why *why)
{
	const struct pinreg_sys *sys = file->device->sys;
	struct pinreg_file_look look;
	*guard = (struct pinreg_guard){ .seal = seal };
	int status = pinreg_store_open(&guard->store, sys, file->dirfd, file->path, file->inode);
	if (status)
		return call_failed(why, "open", status);
	if (seal != PINREG_SEAL_IMMUTABLE)
		return 0;
	status = sys->file_look(file->fd, &look);
	guard->cache = look.seals_cache;
	look.dax |= file->reopen; /* it is to become one */
	if (status)
		call_failed(why, "statx", status);
	else
		status = pinreg_seal_possible(sys, guard->store.dirfd, &look, why);
	if (status)
		pinreg_guard_close(guard);
	return status;
}

/* The parts that are the same whatever the phase. */
static int fill_record(struct pinreg_guard *guard, const struct pinreg_prepared *file)
{
	const struct pinreg_sys *sys = file->device->sys;
	struct pinreg_file_look look;
	int status = sys->file_look(file->fd, &look);
	if (status)
		return status;
	struct pinreg_record record = {
		.device = look.device,
		.inode = look.inode,
		.born_ns = look.born_ns,
		.old_size = look.size,
		.new_size = look.size,
		.has_flags = file->has_flags,
		.old_flags = file->old_flags,
	};
	sys->file_generation(file->fd, &record.generation); /* or 0 */
	status = pinreg_owner_self(sys, &record.owner);
	guard->record = record;
	return status;
}

static int write_record(struct pinreg_guard *guard, struct pinreg_why *why)
{
	guard->recorded = true;
	int status = pinreg_store_write(&guard->store, &guard->record);
	return status ? call_failed(why, "writing the record", status) : 0;
}

int pinreg_guard_begin(struct pinreg_guard *guard, const struct pinreg_prepared *file,
		       struct pinreg_why *why)
{
	struct pinreg_file_look look;
	if (guard->recorded && guard->record.phase == PINREG_PHASE_PREPARING)
		return 0;
	int status = file->device->sys->file_look(file->fd, &look);
	if (status)
		return call_failed(why, "statx", status);
	/* filling holes takes nothing back: a hole reads as zeros too */
	if (!file->created && file->length <= look.size && !file->reopen && !file->hint)
		return 0;
	status = fill_record(guard, file);
	if (status)
		return call_failed(why, "/proc/self/stat", status);
	guard->record.phase = PINREG_PHASE_PREPARING;
	guard->record.created = file->created;
	guard->record.new_size = file->length;
	return write_record(guard, why);
}

int pinreg_guard_reopen(struct pinreg_guard *guard, struct pinreg_prepared *file,
			struct pinreg_why *why)
{
	struct pinreg_alone alone;
	if (!file->reopen)
		return 0;
	/* only who has the lease writes a record; afterwards that says who we are */
	int status = pinreg_alone_begin(&alone, file->device->sys, file->fd, why);
	if (status)
		return status;
	status = pinreg_guard_begin(guard, file, why);
	pinreg_alone_end(&alone);
	return status ? status : pinreg_prepared_reopen(file, why);
}

/* The one that a sealed file must have. */
static int record_seal(struct pinreg_guard *guard, const struct pinreg_prepared *file,
		       struct pinreg_why *why)
{
	if (guard->recorded && guard->record.phase == PINREG_PHASE_SEALED)
		return 0;
	int status = fill_record(guard, file);
	if (status)
		return call_failed(why, "/proc/self/stat", status);
	guard->record.phase = PINREG_PHASE_SEALED;
	return write_record(guard, why);
}

static int remove_record(struct pinreg_guard *guard)
{
	int status = guard->recorded ? pinreg_store_remove(&guard->store) : 0;
	if (!status)
		guard->recorded = false;
	return status;
}

int pinreg_guard_settle(struct pinreg_guard *guard, const struct pinreg_prepared *file,
			struct pinreg_why *why)
{
	if (guard->seal == PINREG_SEAL_IMMUTABLE)
		return record_seal(guard, file, why);
	int status = remove_record(guard);
	return status ? call_failed(why, "removing the record", status) : 0;
}

int pinreg_guard_seal(struct pinreg_guard *guard, const struct pinreg_prepared *file,
		      struct pinreg_why *why)
{
	if (guard->seal != PINREG_SEAL_IMMUTABLE)
		return 0;
	if (!file->dax && !guard->cache)
		return pinreg_why_set(why, PINREG_REASON_FILE_SEAL_UNSUPPORTED, -EOPNOTSUPP);
	guard->sealed = true;
	int status = pinreg_seal_on(file->device->sys, file->fd, why);
	if (status || !guard->standing)
		return status;
	status = file->device->sys->file_sync(file->fd);
	if (status)
		return call_failed(why, "fsync", status);
	/* until now it was to be undone if we died, from now on it is nobody's */
	guard->record.owner = (struct pinreg_owner){ 0 };
	return write_record(guard, why);
}

bool pinreg_guard_holds(const struct pinreg_guard *guard, const struct pinreg_prepared *file)
{
	struct pinreg_file_flags flags;
	return guard->sealed && !file->device->sys->file_flags_get(file->fd, &flags) &&
	       flags.xflags & FS_XFLAG_IMMUTABLE;
}

int pinreg_guard_unseal(struct pinreg_guard *guard, const struct pinreg_prepared *file)
{
	if (!guard->sealed)
		return 0;
	int status = pinreg_seal_off(file->device->sys, file->fd, &file->old_flags, NULL, NULL);
	guard->sealed = status;
	return status;
}

void pinreg_guard_end(struct pinreg_guard *guard, const struct pinreg_prepared *file)
{
	if (pinreg_guard_unseal(guard, file) || guard->seal != PINREG_SEAL_IMMUTABLE)
		return;
	/* the flag must not come back by a power cut, when no record tells of it */
	if (guard->recorded && file->device->sys->file_sync(file->fd))
		guard->sealed = true;
}

void pinreg_guard_close(struct pinreg_guard *guard)
{
	/* a seal that stands, or could not be taken off, needs its record */
	if (guard->recorded && !guard->sealed)
		remove_record(guard);
	pinreg_store_close(&guard->store);
}
