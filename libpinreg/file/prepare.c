/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * prepare.c -- giving every byte of a file a written block of its own, and
 * proving it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>

#include "base/why.h"
#include "file/extents.h"
#include "file/prepared.h"
#include "file/verify.h"

/* How much is done between two looks at who waits for the file. */
#define PIECE_ZERO ((uint64_t)16 << 20)
#define PIECE_ALLOCATE ((uint64_t)1 << 30)

/* Blocks that hold nothing yet. */
#define UNWRITTEN FIEMAP_EXTENT_UNWRITTEN

/* One preparation under way. */
struct work {
	struct pinreg_prepared *file;
	const struct pinreg_sys *sys;
	struct pinreg_tenure *tenure;
	struct pinreg_why *why; /* never NULL */
	uint64_t found_size;
	uint64_t room;	  /* bytes free on the filesystem */
	uint64_t missing; /* bytes without a block */
	bool shared;
	void *window; /* DAX: a mapping without MAP_SYNC to zero through */
};

static int system_call(struct work *work, const char *step, int status)
{
	return pinreg_why_call(work->why, PINREG_REASON_FILE_SYSTEM_CALL, step, status);
}

static int walk(struct work *work, pinreg_extent_function *visit)
{
	const struct pinreg_prepared *file = work->file;
	int status = file->tmpfs
			     ? pinreg_holes_walk(work->sys, file->fd, file->length, visit, work)
			     : pinreg_extents_walk(work->sys, file->fd, file->length, visit, work);
	/* a visitor that fails has said why; the ioctl has not */
	if (status && work->why->reason == PINREG_REASON_NONE)
		system_call(work, "FIEMAP", status);
	return status;
}

static int note_needs(void *context, const struct pinreg_extent *extent)
{
	struct work *work = context;
	work->missing += extent->hole ? extent->length : 0;
	work->shared |= (extent->flags & FIEMAP_EXTENT_SHARED) != 0;
	return 0;
}

static int no_space(struct work *work, int status)
{
	if (status != -ENOSPC && status != -EDQUOT && status != -EFBIG)
		return system_call(work, "fallocate", status);
	pinreg_why_call(work->why, PINREG_REASON_FILE_NO_SPACE, "fallocate", status);
	work->why->wanted = work->file->length;
	return status;
}

static int allocate_pieces(struct work *work, int mode)
{
	uint64_t length = work->file->length;
	for (uint64_t done = 0; done < length;) {
		uint64_t part = length - done < PIECE_ALLOCATE ? length - done : PIECE_ALLOCATE;
		int status = pinreg_tenure_check(work->tenure, work->why);
		if (status)
			return status;
		status = work->sys->file_allocate(work->file->fd, mode, done, part);
		if (status)
			return no_space(work, status);
		done += part;
	}
	return 0;
}

/* Blocks for everything; the size changes last. */
static int allocate(struct work *work)
{
	struct pinreg_prepared *file = work->file;
	bool grow = file->length > work->found_size;
	int status = walk(work, note_needs);
	if (status)
		return status;
	/* what cannot be must not fill the filesystem before it fails */
	if (work->missing > work->room)
		return no_space(work, -ENOSPC);
	if (grow)
		file->old_size = work->found_size;
	if (work->shared)
		status = allocate_pieces(work, FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_KEEP_SIZE);
	if (!status && (work->missing || grow))
		status = allocate_pieces(work, FALLOC_FL_KEEP_SIZE);
	if (!status && grow)
		status = pinreg_tenure_check(work->tenure, work->why);
	if (status || !grow)
		return status;
	status = work->sys->file_resize(file->fd, file->length);
	return status ? system_call(work, "ftruncate", status) : 0;
}

static int zero_piece(struct work *work, uint64_t offset, uint64_t length)
{
	/* synced piece by piece, or the last fsync would keep others waiting */
	if (!work->window) {
		int status = work->sys->file_zero(work->file->fd, offset, length);
		return status ? status : work->sys->file_sync(work->file->fd);
	}
	/*
	 * A write fault on an unwritten DAX block zeroes and converts it, and
	 * leaves a block with data alone.
	 */
	return work->sys->populate((char *)work->window + offset, length, true);
}

static void count_zeroed(struct pinreg_prepared *file, uint64_t offset, uint64_t length)
{
	if (!file->zeroed || offset < file->zeroed_offset)
		file->zeroed_offset = offset;
	file->zeroed += length;
}

static int zero_extent(void *context, const struct pinreg_extent *extent)
{
	struct work *work = context;
	if (!extent->hole && !(extent->flags & UNWRITTEN))
		return 0;
	for (uint64_t done = 0; done < extent->length;) {
		uint64_t part = extent->length - done;
		if (part > PIECE_ZERO)
			part = PIECE_ZERO;
		int status = pinreg_tenure_check(work->tenure, work->why);
		if (status)
			return status;
		status = zero_piece(work, extent->offset + done, part);
		if (status)
			return system_call(work, work->window ? "MADV_POPULATE_WRITE" : "pwrite",
					   status);
		count_zeroed(work->file, extent->offset + done, part);
		done += part;
	}
	return 0;
}

/* A file that ended within a block: the kernel zeroes the rest of it. */
static void count_tail(struct work *work)
{
	uint64_t block = 4096;
	uint64_t end = (work->found_size + block - 1) / block * block;
	if (end > work->file->length)
		end = work->file->length;
	if (end > work->found_size)
		count_zeroed(work->file, work->found_size, end - work->found_size);
}

static int zero(struct work *work)
{
	struct pinreg_prepared *file = work->file;
	int status = 0;
	count_tail(work);
	/* not through the MAP_SYNC mapping: there each fault would be a journal commit */
	if (file->dax)
		status = work->sys->map(file->fd, file->length, false, &work->window);
	if (status)
		return system_call(work, "mmap", status);
	status = walk(work, zero_extent);
	if (work->window)
		work->sys->unmap(work->window, file->length);
	return status;
}

/* The first flaw decides. */
static int refuse_flaw(void *context, const struct pinreg_flaw *flaw)
{
	struct work *work = context;
	pinreg_why_set(work->why, PINREG_REASON_FILE_EXTENTS, -EIO);
	work->why->addr = flaw->offset;
	work->why->length = flaw->length;
	work->why->wanted = flaw->flags;
	return -EIO;
}

static struct pinreg_verify verification(struct work *work, pinreg_flaw_function *flaw)
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

static int sync_and_verify(struct work *work)
{
	struct pinreg_prepared *file = work->file;
	struct pinreg_verify verify = verification(work, refuse_flaw);
	int status = work->sys->file_sync(file->fd);
	if (status)
		return system_call(work, "fsync", status);
	status = pinreg_verify_blocks(&verify, &file->report);
	if (status && work->why->reason == PINREG_REASON_NONE)
		system_call(work, pinreg_verify_call(&verify), status);
	return status;
}

/*
 * Is every block where the last verification found it, and was all good then?
 * Then there is nothing to allocate and nothing to zero: a block that was given
 * back meanwhile and taken again shows as unwritten, or somebody wrote it. Only
 * the block map is looked at, never the data.
 */
static bool unchanged(struct work *work)
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
static int make_whole(struct work *work)
{
	int status = allocate(work);
	if (!status)
		status = zero(work);
	return status ? status : sync_and_verify(work);
}

static int map_whole(struct work *work)
{
	struct pinreg_prepared *file = work->file;
	int status = -EOPNOTSUPP;
	if (file->dax)
		status = work->sys->map(file->fd, file->length, true, &file->addr);
	file->map_sync = !status;
	if (status == -EOPNOTSUPP || status == -EINVAL)
		status = work->sys->map(file->fd, file->length, false, &file->addr);
	if (status)
		return system_call(work, "mmap", status);
	status = work->sys->persist_open(file->fd, file->addr, file->length, file->map_sync,
					 &file->persist);
	return status ? system_call(work, "libpmem2", status) : 0;
}

int pinreg_prepared_prepare(struct pinreg_prepared *file, struct pinreg_tenure *tenure,
			    struct pinreg_why *why)
{
	struct work work = {
		.file = file,
		.sys = file->device->sys,
		.tenure = tenure,
		.why = why,
	};
	struct pinreg_file_look look;
	*why = (struct pinreg_why){ 0 };
	int status = work.sys->file_look(file->fd, &look);
	if (status)
		return system_call(&work, "statx", status);
	work.found_size = look.size;
	work.room = look.room;

	file->zeroed = 0;
	file->zeroed_offset = 0;
	if (!unchanged(&work))
		status = make_whole(&work);
	if (!status && !file->addr)
		status = map_whole(&work);
	/* the last steps may have taken long */
	if (!status)
		status = pinreg_tenure_check(tenure, why);
	if (!status)
		file->size = look.size > file->length ? look.size : file->length;
	return status;
}
