/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * needs.c -- what a file lacks: blocks, data in them, blocks of its own.
 */
#include <errno.h>
#include <linux/fiemap.h>
#include <stdlib.h>

#include "file/extents.h"
#include "file/preparing.h"

#define ROOM_FIRST 16

static int add_span(struct pinreg_needs *needs, uint64_t start, uint64_t end)
{
	struct pinreg_span *last = needs->count ? &needs->spans[needs->count - 1] : NULL;
	needs->bytes += end - start;
	if (last && last->end == start) {
		last->end = end;
		return 0;
	}
	if (needs->count == needs->room) {
		size_t room = needs->room ? needs->room * 2 : ROOM_FIRST;
		struct pinreg_span *spans = reallocarray(needs->spans, room, sizeof(*spans));
		if (!spans)
			return -ENOMEM;
		needs->spans = spans;
		needs->room = room;
	}
	needs->spans[needs->count++] = (struct pinreg_span){ .start = start, .end = end };
	return 0;
}

static int note(void *context, const struct pinreg_extent *extent)
{
	struct pinreg_preparing *work = context;
	struct pinreg_needs *needs = &work->needs;
	needs->missing += extent->hole ? extent->length : 0;
	needs->shared |= (extent->flags & FIEMAP_EXTENT_SHARED) != 0;
	if (!extent->hole && !(extent->flags & FIEMAP_EXTENT_UNWRITTEN))
		return 0;
	int status = add_span(needs, extent->offset, extent->offset + extent->length);
	return status ? pinreg_preparing_failed(work, "realloc", status) : 0;
}

int pinreg_preparing_look(struct pinreg_preparing *work)
{
	const struct pinreg_prepared *file = work->file;
	pinreg_preparing_forget(work);
	int status = file->tmpfs
			     ? pinreg_holes_walk(work->sys, file->fd, file->length, note, work)
			     : pinreg_extents_walk(work->sys, file->fd, file->length, note, work);
	/* note() has said why; the system call has not */
	if (status && work->why->reason == PINREG_REASON_NONE)
		pinreg_preparing_failed(work, file->tmpfs ? "lseek" : "FIEMAP", status);
	return status;
}

void pinreg_preparing_forget(struct pinreg_preparing *work)
{
	free(work->needs.spans);
	work->needs = (struct pinreg_needs){ 0 };
}
