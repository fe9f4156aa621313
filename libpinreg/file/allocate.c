/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * allocate.c -- a block of its own for every byte of a file, and its size.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>

#include "base/why.h"
#include "file/preparing.h"

/* How much is done between two looks at who waits for the file. */
#define PIECE ((uint64_t)1 << 30)

static int no_space(struct pinreg_preparing *work, const char *step, int status)
{
	if (status != -ENOSPC && status != -EDQUOT && status != -EFBIG)
		return pinreg_preparing_failed(work, step, status);
	pinreg_why_call(work->why, PINREG_REASON_FILE_NO_SPACE, step, status);
	work->why->wanted = work->file->length;
	return status;
}

static int allocate_range(struct pinreg_preparing *work, int mode, uint64_t start, uint64_t end)
{
	while (start < end) {
		uint64_t part = PIECE - start % PIECE;
		if (part > end - start)
			part = end - start;
		int status = pinreg_tenure_check(work->tenure, work->why);
		if (status)
			return status;
		status = work->sys->file_allocate(work->file->fd, mode, start, part);
		if (status)
			return no_space(work, "fallocate", status);
		start += part;
	}
	return 0;
}

/*
 * The file ended within a page: what lies behind its end there, if only because
 * somebody stored it through a mapping, must not come into view.
 */
static int zero_tail(struct pinreg_preparing *work)
{
	struct pinreg_prepared *file = work->file;
	uint64_t page = work->sys->page_size();
	uint64_t end = (work->found_size + page - 1) / page * page;
	if (end == work->found_size)
		return 0;
	int status = work->sys->file_zero(file->fd, work->found_size, end - work->found_size);
	if (status)
		return no_space(work, "pwrite", status);
	pinreg_preparing_count(file, work->found_size, end - work->found_size);
	return 0;
}

static int unshare_all(struct pinreg_preparing *work)
{
	int status = allocate_range(work, FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_KEEP_SIZE, 0,
				    work->file->length);
	if (status != -EOPNOTSUPP || work->file->dax)
		return status;
	/* btrfs: it copies what is shared when the page cache is written back */
	*work->why = (struct pinreg_why){ 0 };
	return 0;
}

static int grow(struct pinreg_preparing *work)
{
	int status = pinreg_tenure_check(work->tenure, work->why);
	if (!status)
		status = zero_tail(work);
	if (status)
		return status;
	status = work->sys->file_resize(work->file->fd, work->file->length);
	return status ? no_space(work, "ftruncate", status) : 0;
}

int pinreg_preparing_allocate(struct pinreg_preparing *work, bool *changed)
{
	struct pinreg_prepared *file = work->file;
	const struct pinreg_needs *needs = &work->needs;
	bool grows = file->length > work->found_size;
	int status = 0;
	*changed = grows || needs->missing || needs->shared;
	/* what cannot be must not fill the filesystem before it fails */
	if (needs->missing > work->found_room)
		return no_space(work, "fallocate", -ENOSPC);
	if (grows)
		file->old_size = work->found_size;
	/*
	 * The size first: behind the end of a file ext4 gives blocks that huge pages
	 * cannot map, and zeroing those takes several times as long.
	 */
	if (grows)
		status = grow(work);
	if (!status && needs->shared)
		status = unshare_all(work);
	if (!status && needs->missing)
		status = allocate_range(work, FALLOC_FL_KEEP_SIZE, needs->spans[0].start,
					needs->spans[needs->count - 1].end);
	return status;
}
