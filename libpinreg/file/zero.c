/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zero.c -- zeros where a file has blocks without data, by several threads where
 * that helps.
 */
#include <errno.h>
#include <pthread.h>

#include "base/why.h"
#include "crew/crew.h"
#include "file/preparing.h"

/*
 * Page cache is synced piece by piece, or the last fsync would keep others
 * waiting; so its pieces are larger, and it has one thread: the disk is what
 * it waits for.
 */
#define PIECE_CACHE ((uint64_t)16 << 20)

struct zeroing {
	struct pinreg_preparing *work;
	char *window;	      /* DAX: a mapping without MAP_SYNC to zero through */
	pthread_mutex_t lock; /* of the count */
};

/* The first stretch that ends behind offset, or the number of them. */
static size_t find_span(const struct pinreg_needs *needs, uint64_t offset)
{
	size_t low = 0, high = needs->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (needs->spans[middle].end > offset)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static int zero_range(const struct zeroing *zeroing, uint64_t offset, uint64_t length)
{
	const struct pinreg_sys *sys = zeroing->work->sys;
	int fd = zeroing->work->file->fd;
	if (!zeroing->window) {
		int status = sys->file_zero(fd, offset, length);
		return status ? status : sys->file_sync(fd);
	}
	/*
	 * A write fault on an unwritten DAX block zeroes and converts it, and
	 * leaves a block with data alone.
	 */
	int status = sys->populate(zeroing->window + offset, length, true);
	/* the kernel's words for a fault that cannot be served, or poisoned memory */
	return status == -EFAULT || status == -EHWPOISON ? -EIO : status;
}

/* The stretches in a piece, by any thread. Their bytes, or -errno. */
static int64_t zero_piece(void *context, uint64_t start, uint64_t end)
{
	struct zeroing *zeroing = context;
	const struct pinreg_needs *needs = &zeroing->work->needs;
	int64_t done = 0;
	for (size_t i = find_span(needs, start); i < needs->count; i++) {
		const struct pinreg_span *span = &needs->spans[i];
		uint64_t from = span->start > start ? span->start : start;
		uint64_t until = span->end < end ? span->end : end;
		if (from >= end)
			break;
		int status = zero_range(zeroing, from, until - from);
		if (status)
			return status;
		done += (int64_t)(until - from);
		pthread_mutex_lock(&zeroing->lock);
		pinreg_preparing_count(zeroing->work->file, from, until - from);
		pthread_mutex_unlock(&zeroing->lock);
	}
	return done;
}

static int somebody_waits(void *context)
{
	struct zeroing *zeroing = context;
	return pinreg_tenure_check(zeroing->work->tenure, zeroing->work->why);
}

static int run(struct zeroing *zeroing)
{
	struct pinreg_preparing *work = zeroing->work;
	const struct pinreg_prepared *file = work->file;
	const struct pinreg_needs *needs = &work->needs;
	struct pinreg_crew crew = {
		.sys = work->sys,
		.start = needs->spans[0].start,
		.end = needs->spans[needs->count - 1].end,
		.piece = zeroing->window ? PINREG_CREW_PIECE : PIECE_CACHE,
		.load = needs->bytes,
		/* kernels zero a file's blocks one after the other: docs/kernel-facts.md */
		.threads = zeroing->window && file->threads ? file->threads : 1,
		.work = zero_piece,
		.asked = somebody_waits,
		.context = zeroing,
		.progress = file->progress,
		.progress_context = file->progress_context,
	};
	int status = somebody_waits(zeroing);
	if (!status)
		status = pinreg_crew_run(&crew);
	if (work->why->reason != PINREG_REASON_NONE)
		return work->why->error; /* whoever was first: somebody waits */
	if (status == -ECANCELED)
		return pinreg_why_set(work->why, PINREG_REASON_FILE_CANCELLED, status);
	return status ? pinreg_preparing_failed(
				work, zeroing->window ? "MADV_POPULATE_WRITE" : "pwrite", status)
		      : 0;
}

int pinreg_preparing_zero(struct pinreg_preparing *work)
{
	struct zeroing zeroing = { .work = work, .lock = PTHREAD_MUTEX_INITIALIZER };
	struct pinreg_prepared *file = work->file;
	void *window = NULL;
	if (!work->needs.count)
		return 0;
	/* not through the MAP_SYNC mapping: there each fault would be a journal commit */
	if (file->dax) {
		int status = work->sys->map(file->fd, file->length, false, &window);
		if (status)
			return pinreg_preparing_failed(work, "mmap", status);
	}
	zeroing.window = window;
	int status = run(&zeroing);
	if (window)
		work->sys->unmap(window, file->length);
	return status;
}
