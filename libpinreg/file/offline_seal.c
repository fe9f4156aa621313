/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * offline_seal.c -- standing seals: on until they are taken off, whoever lives.
 */
#include <errno.h>
#include <fcntl.h>

#include "base/why.h"
#include "file/alone.h"
#include "file/look.h"
#include "file/offline.h"
#include "file/recover.h"
#include "file/seal.h"
#include "file/verify.h"

/* A file that is to be sealed or unsealed. */
struct work {
	const struct pinreg_sys *sys;
	struct pinreg_why *why;
	struct pinreg_record_store store;
	struct pinreg_file_look look;
	int fd;
};

static int call_failed(struct work *work, const char *step, int status)
{
	return pinreg_why_call(work->why, PINREG_REASON_FILE_SYSTEM_CALL, step, status);
}

/* For reading only: of an immutable file there is no other descriptor. */
static int open_work(struct work *work, int dirfd, const char *path)
{
	const struct pinreg_sys *sys = work->sys;
	int status = pinreg_look_at_path(sys, dirfd, path, &work->look, work->why);
	if (status)
		return status == -ENOENT ? call_failed(work, "open", status) : status;
	work->fd = pinreg_look_open(sys, dirfd, path, O_RDONLY, &work->look, work->why);
	if (work->fd < 0)
		return work->fd;
	status = pinreg_store_open(&work->store, sys, dirfd, path, work->look.inode);
	if (!status)
		return 0;
	sys->file_close(work->fd);
	return call_failed(work, "open", status);
}

static void close_work(struct work *work)
{
	pinreg_store_close(&work->store);
	work->sys->file_close(work->fd);
}

/* With the file open: who has no lease writes no record. */
static int read_record(struct work *work, struct pinreg_record *record)
{
	uint64_t generation = 0;
	work->sys->file_generation(work->fd, &generation);
	return pinreg_store_read(&work->store, &work->look, generation, record, work->why);
}

static int refuse_flaw(void *context, const struct pinreg_flaw *flaw)
{
	struct work *work = context;
	pinreg_why_set(work->why, PINREG_REASON_FILE_EXTENTS, -EIO);
	work->why->addr = flaw->offset;
	work->why->length = flaw->length;
	work->why->wanted = flaw->flags;
	return -EIO;
}

static int check_prepared(struct work *work)
{
	struct pinreg_file_report report;
	struct pinreg_verify verify = {
		.sys = work->sys,
		.fd = work->fd,
		.length = work->look.size,
		.dax = work->look.dax,
		.tmpfs = work->look.tmpfs,
		.flaw = refuse_flaw,
		.context = work,
	};
	int status = pinreg_verify_blocks(&verify, &report);
	if (status && work->why->reason == PINREG_REASON_NONE)
		call_failed(work, pinreg_verify_call(&verify), status);
	return status;
}

static int write_record(struct work *work, const struct pinreg_record *record)
{
	int status = pinreg_store_write(&work->store, record);
	return status ? call_failed(work, "writing the record", status) : 0;
}

/* It was not sealed, and is not to be. */
static int give_up(struct work *work, const struct pinreg_record *record, int status)
{
	if (!pinreg_seal_off(work->sys, work->fd, &record->old_flags, NULL, NULL))
		pinreg_store_remove(&work->store);
	return status;
}

/* As long as the record has an owner, his death undoes it; then it stands. */
static int record_and_seal(struct work *work)
{
	struct pinreg_record record = {
		.phase = PINREG_PHASE_SEALED,
		.device = work->look.device,
		.inode = work->look.inode,
		.born_ns = work->look.born_ns,
		.old_size = work->look.size,
		.new_size = work->look.size,
		.has_flags = true,
	};
	work->sys->file_generation(work->fd, &record.generation); /* or 0 */
	int status = work->sys->file_flags_get(work->fd, &record.old_flags);
	if (status)
		return call_failed(work, "FS_IOC_FSGETXATTR", status);
	status = pinreg_owner_self(work->sys, &record.owner);
	if (status)
		return call_failed(work, "/proc/self/stat", status);
	status = write_record(work, &record);
	if (!status)
		status = pinreg_seal_on(work->sys, work->fd, work->why);
	if (!status) {
		status = work->sys->file_sync(work->fd);
		if (status)
			call_failed(work, "fsync", status);
	}
	if (!status) {
		record.owner = (struct pinreg_owner){ 0 };
		status = write_record(work, &record);
	}
	return status ? give_up(work, &record, status) : 0;
}

static int seal_alone(struct work *work)
{
	struct pinreg_alone alone;
	int status = pinreg_alone_begin(&alone, work->sys, work->fd, work->why);
	if (status)
		return status;
	status = check_prepared(work);
	if (!status)
		status = record_and_seal(work);
	pinreg_alone_end(&alone);
	return status;
}

static int seal(struct work *work)
{
	struct pinreg_record record;
	int status = read_record(work, &record);
	/* a crash may have come between record and flag */
	if (!status && work->look.immutable && !record.owner.pid)
		return 0;
	if (!status && record.owner.pid)
		return pinreg_owner_refuse(&record.owner, work->why);
	if (status && status != -ENOENT && status != -ESTALE)
		return status;
	status = pinreg_seal_possible(work->sys, work->store.dirfd, &work->look, work->why);
	return status ? status : seal_alone(work);
}

static int unseal(struct work *work)
{
	struct pinreg_record record;
	int status = read_record(work, &record);
	if (status == -ENOENT || status == -ESTALE)
		return pinreg_why_set(work->why, PINREG_REASON_FILE_NOT_SEALED, -ENOENT);
	if (status)
		return status;
	if (record.owner.pid)
		return pinreg_owner_refuse(&record.owner, work->why);
	/* from here on our death ends it */
	status = pinreg_owner_self(work->sys, &record.owner);
	if (status)
		return call_failed(work, "/proc/self/stat", status);
	status = write_record(work, &record);
	if (!status)
		status = pinreg_seal_off(work->sys, work->fd, &record.old_flags, NULL, work->why);
	if (status) {
		/* it goes on standing */
		record.owner = (struct pinreg_owner){ 0 };
		pinreg_store_write(&work->store, &record);
		return status;
	}
	/* or the flag could come back by a power cut, when no record tells of it */
	status = work->sys->file_sync(work->fd);
	if (status)
		return call_failed(work, "fsync", status);
	status = pinreg_store_remove(&work->store);
	return status ? call_failed(work, "removing the record", status) : 0;
}

/* What a dead owner left is put right first. *found: what that was. */
static int begin(struct work *work, const struct pinreg_sys *sys, int dirfd, const char *path,
		 struct pinreg_why *why, enum pinreg_recovery *found)
{
	struct pinreg_recovery_report report;
	*work = (struct work){ .sys = sys, .why = why };
	pinreg_why_set(why, PINREG_REASON_NONE, 0);
	if (!path)
		return pinreg_why_set(why, PINREG_REASON_BAD_OPTION, -EINVAL);
	int status = pinreg_recover(sys, dirfd, path, why, &report);
	if (status)
		return status;
	*found = report.recovery;
	struct pinreg_owner owner = { .pid = report.pid };
	if (report.recovery == PINREG_RECOVERY_ALIVE)
		return pinreg_owner_refuse(&owner, why);
	return 0;
}

int pinreg_offline_seal(const struct pinreg_sys *sys, int dirfd, const char *path,
			struct pinreg_why *why)
{
	struct pinreg_why unheard;
	enum pinreg_recovery found = PINREG_RECOVERY_NOTHING;
	struct work work;
	int status = begin(&work, sys, dirfd, path, why ? why : &unheard, &found);
	if (!status)
		status = open_work(&work, dirfd, path);
	if (status)
		return status;
	status = seal(&work);
	close_work(&work);
	return status;
}

int pinreg_offline_unseal(const struct pinreg_sys *sys, int dirfd, const char *path,
			  struct pinreg_why *why)
{
	struct pinreg_why unheard;
	enum pinreg_recovery found = PINREG_RECOVERY_NOTHING;
	struct work work;
	int status = begin(&work, sys, dirfd, path, why ? why : &unheard, &found);
	/* a dead owner's seal is off by now */
	if (status || found == PINREG_RECOVERY_UNSEALED)
		return status;
	if (found != PINREG_RECOVERY_STANDING)
		return pinreg_why_set(work.why, PINREG_REASON_FILE_NOT_SEALED, -ENOENT);
	status = open_work(&work, dirfd, path);
	if (status)
		return status;
	status = unseal(&work);
	close_work(&work);
	return status;
}

int pinreg_file_seal(int dirfd, const char *path, struct pinreg_why *why)
{
	return pinreg_offline_seal(&pinreg_sys_real, dirfd, path, why);
}

int pinreg_file_unseal(int dirfd, const char *path, struct pinreg_why *why)
{
	return pinreg_offline_unseal(&pinreg_sys_real, dirfd, path, why);
}
