/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * prepare.c -- giving every byte of a file a written block of its own, and
 * proving it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>

#include "base/why.h"
#include "file/extents.h"
#include "file/prepared.h"

/* How much is zeroed between two looks at the interrupt. */
#define PIECE ((uint64_t)16 << 20)

/* Blocks that hold nothing yet. */
#define UNWRITTEN FIEMAP_EXTENT_UNWRITTEN

/* What a page-cache file may not have after preparing, and what a DAX file may not. */
#define FLAWS_CACHE (FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | UNWRITTEN)
#define FLAWS_DAX                                                                                  \
	(FLAWS_CACHE | FIEMAP_EXTENT_ENCODED | FIEMAP_EXTENT_DATA_ENCRYPTED |                      \
	 FIEMAP_EXTENT_NOT_ALIGNED | FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_DATA_TAIL |         \
	 FIEMAP_EXTENT_SHARED)

/* One preparation under way. */
struct work {
	struct pinreg_prepared *file;
	const struct pinreg_sys *sys;
	const struct pinreg_interrupt *interrupt;
	struct pinreg_why *why; /* never NULL */
	uint64_t old_size;
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
	int status =
		pinreg_extents_walk(work->sys, work->file->fd, work->file->length, visit, work);
	/* tmpfs has no block map; what fallocate gave is there */
	if (status == -EOPNOTSUPP && work->file->tmpfs)
		return 0;
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

/* Blocks for everything; the size changes last. */
static int allocate(struct work *work)
{
	struct pinreg_prepared *file = work->file;
	int status = walk(work, note_needs);
	if (status)
		return status;
	/* what cannot be must not fill the filesystem before it fails */
	if (work->missing > work->room)
		return no_space(work, -ENOSPC);
	bool grow = file->length > work->old_size;
	if (work->shared) {
		int mode = FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_KEEP_SIZE;
		status = work->sys->file_allocate(file->fd, mode, 0, file->length);
	}
	/* on tmpfs holes are not told */
	if (!status && (work->missing || grow || file->tmpfs))
		status = work->sys->file_allocate(file->fd, FALLOC_FL_KEEP_SIZE, 0, file->length);
	if (status)
		return no_space(work, status);
	if (!grow)
		return 0;
	status = work->sys->file_resize(file->fd, file->length);
	return status ? system_call(work, "ftruncate", status) : 0;
}

static bool interrupted(const struct work *work)
{
	return work->interrupt->asked && work->interrupt->asked(work->interrupt->context);
}

static int zero_piece(struct work *work, uint64_t offset, uint64_t length)
{
	if (!work->window)
		return work->sys->file_zero(work->file->fd, offset, length);
	/*
	 * A write fault on an unwritten DAX block zeroes and converts it, and
	 * leaves a block with data alone.
	 */
	return work->sys->populate((char *)work->window + offset, length, true);
}

static int zero_extent(void *context, const struct pinreg_extent *extent)
{
	struct work *work = context;
	if (!extent->hole && !(extent->flags & UNWRITTEN))
		return 0;
	if (!work->file->zeroed)
		work->file->zeroed_offset = extent->offset;
	for (uint64_t done = 0; done < extent->length;) {
		uint64_t part = extent->length - done < PIECE ? extent->length - done : PIECE;
		if (interrupted(work))
			return pinreg_why_set(work->why, PINREG_REASON_FILE_TAKEN, -EBUSY);
		int status = zero_piece(work, extent->offset + done, part);
		if (status)
			return system_call(work, work->window ? "MADV_POPULATE_WRITE" : "pwrite",
					   status);
		done += part;
		work->file->zeroed += part;
	}
	return 0;
}

static int zero(struct work *work)
{
	struct pinreg_prepared *file = work->file;
	int status = 0;
	file->zeroed = 0;
	file->zeroed_offset = 0;
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

static int check_extent(void *context, const struct pinreg_extent *extent)
{
	struct work *work = context;
	unsigned int flaws = extent->flags & (work->file->dax ? FLAWS_DAX : FLAWS_CACHE);
	work->file->extents++;
	if (!extent->hole && !flaws)
		return 0;
	pinreg_why_set(work->why, PINREG_REASON_FILE_EXTENTS, -EIO);
	work->why->addr = extent->offset;
	work->why->length = extent->length;
	work->why->wanted = extent->flags;
	return -EIO;
}

static int sync_and_verify(struct work *work)
{
	int status = work->sys->file_sync(work->file->fd);
	if (status)
		return system_call(work, "fsync", status);
	work->file->extents = 0;
	return walk(work, check_extent);
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

int pinreg_prepared_prepare(struct pinreg_prepared *file, const struct pinreg_interrupt *interrupt,
			    struct pinreg_why *why)
{
	struct work work = {
		.file = file,
		.sys = file->device->sys,
		.interrupt = interrupt,
		.why = why,
	};
	struct pinreg_file_look look;
	*why = (struct pinreg_why){ 0 };
	int status = work.sys->file_look(file->fd, &look);
	if (status)
		return system_call(&work, "statx", status);
	work.old_size = look.size;
	work.room = look.room;

	status = allocate(&work);
	if (!status)
		status = zero(&work);
	if (!status)
		status = sync_and_verify(&work);
	if (!status && !file->addr)
		status = map_whole(&work);
	if (status) {
		/* also frees the blocks behind the end that a failed fallocate left */
		if (file->length > work.old_size)
			work.sys->file_resize(file->fd, work.old_size);
		return status;
	}
	file->created = false;
	return 0;
}
