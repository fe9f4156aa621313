/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * prepare.c -- the steps of preparing a file, in their order, and the proof.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/why.h"
#include "file/flags.h"
#include "file/preparing.h"
#include "file/range.h"
#include "file/verify.h"

int pinreg_preparing_failed(struct pinreg_preparing *work, const char *step, int status)
{
	return pinreg_why_call(work->why, PINREG_REASON_FILE_SYSTEM_CALL, step, status);
}

void pinreg_preparing_count(struct pinreg_prepared *file, uint64_t offset, uint64_t length)
{
	if (!file->zeroed || offset < file->zeroed_offset)
		file->zeroed_offset = offset;
	file->zeroed += length;
}

/* The first flaw decides. */
static int refuse_flaw(void *context, const struct pinreg_flaw *flaw)
{
	struct pinreg_preparing *work = context;
	pinreg_why_set(work->why, PINREG_REASON_FILE_EXTENTS, -EIO);
	work->why->addr = flaw->offset;
	work->why->length = flaw->length;
	work->why->wanted = flaw->flags;
	return -EIO;
}

static struct pinreg_verify verification(struct pinreg_preparing *work, pinreg_flaw_function *flaw)
{
	const struct pinreg_prepared *file = work->file;
	return (struct pinreg_verify){
		.sys = work->sys,
		.fd = file->fd,
		.length = file->length,
		.dax = file->dax,
		.tmpfs = file->tmpfs,
		.flaw = flaw,
		.context = work,
	};
}

static int sync_and_verify(struct pinreg_preparing *work)
{
	struct pinreg_prepared *file = work->file;
	struct pinreg_verify verify = verification(work, refuse_flaw);
	int status = work->sys->file_sync(file->fd);
	if (status)
		return pinreg_preparing_failed(work, "fsync", status);
	status = pinreg_verify_blocks(&verify, &file->report);
	if (status && work->why->reason == PINREG_REASON_NONE)
		pinreg_preparing_failed(work, pinreg_verify_call(&verify), status);
	return status;
}

/*
 * Is every block where the last verification found it, and was all good then?
 * Then there is nothing to allocate and nothing to zero: a block that was given
 * back meanwhile and taken again shows as unwritten, or somebody wrote it. Only
 * the block map is looked at, never the data.
 */
static bool unchanged(struct pinreg_preparing *work)
{
	const struct pinreg_prepared *file = work->file;
	struct pinreg_verify verify = verification(work, NULL);
	struct pinreg_file_report now = { 0 };
	if (!file->addr || !file->report.block_map || file->report.flaws ||
	    work->found_size != file->size)
		return false;
	/* what others wrote must have its blocks before these are compared */
	if (work->sys->file_sync(file->fd) || pinreg_verify_blocks(&verify, &now) ||
	    now.block_map != file->report.block_map)
		return false;
	pinreg_log(&file->device->log, PINREG_LOG_INFO,
		   "%s: its block map is unchanged (%" PRIu64 " extents), so nothing was "
		   "allocated or zeroed",
		   file->path, now.extents);
	return true;
}

/* Blocks that hold nothing of anybody, for every byte, and the proof. */
static int make_whole(struct pinreg_preparing *work)
{
	bool changed;
	int status = pinreg_preparing_look(work);
	if (!status)
		pinreg_flags_hint(work->file);
	if (!status)
		status = pinreg_preparing_allocate(work, &changed);
	if (!status && changed)
		status = pinreg_preparing_look(work);
	if (!status)
		status = pinreg_preparing_zero(work);
	pinreg_preparing_forget(work);
	return status ? status : sync_and_verify(work);
}

int pinreg_prepared_prepare(struct pinreg_prepared *file, struct pinreg_tenure *tenure,
			    struct pinreg_why *why)
{
	struct pinreg_preparing work = {
		.file = file,
		.sys = file->device->sys,
		.tenure = tenure,
		.why = why,
	};
	struct pinreg_file_look look;
	*why = (struct pinreg_why){ 0 };
	int status = work.sys->file_look(file->fd, &look);
	if (status)
		return pinreg_preparing_failed(&work, "statx", status);
	work.found_size = look.size;
	work.found_room = look.room;

	file->zeroed = 0;
	file->zeroed_offset = 0;
	if (!unchanged(&work))
		status = make_whole(&work);
	if (!status)
		status = pinreg_range_file(file, why);
	/* the last steps may have taken long */
	if (!status)
		status = pinreg_tenure_check(tenure, why);
	if (!status)
		file->size = look.size > file->length ? look.size : file->length;
	return status;
}
