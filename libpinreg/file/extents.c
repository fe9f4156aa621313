/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extents.c -- reading the block map by FIEMAP in pieces, or, where there is
 * none, what is data and what a hole.
 */
#include "file/extents.h"

#include <errno.h>
#include <linux/fiemap.h>
#include <string.h>

#define PIECE 64 /* extents a call */

/* The kernel writes the extents right behind the head. */
union reply {
	struct fiemap head;
	char room[sizeof(struct fiemap) + PIECE * sizeof(struct fiemap_extent)];
};

/* Where a walk is. */
struct walk {
	uint64_t position; /* everything before it was reported */
	uint64_t length;
	pinreg_extent_function *visit;
	void *context;
};

/* Report [walk->position, until) and move on. */
static int report(struct walk *walk, uint64_t until, bool hole, unsigned int flags)
{
	if (until > walk->length)
		until = walk->length;
	if (until <= walk->position)
		return 0;
	struct pinreg_extent extent = {
		.offset = walk->position,
		.length = until - walk->position,
		.hole = hole,
		.flags = flags,
	};
	walk->position = until;
	return walk->visit(walk->context, &extent);
}

/* One piece. *last is set when the file has no more extents. */
static int report_piece(struct walk *walk, const union reply *reply, bool *last)
{
	unsigned int got = reply->head.fm_mapped_extents;
	if (got > PIECE)
		got = PIECE;
	*last = got == 0;
	for (unsigned int i = 0; i < got; i++) {
		const struct fiemap_extent *extent = &reply->head.fm_extents[i];
		int status = report(walk, extent->fe_logical, true, 0);
		if (!status)
			status = report(walk, extent->fe_logical + extent->fe_length, false,
					extent->fe_flags);
		if (status)
			return status;
		if (extent->fe_flags & FIEMAP_EXTENT_LAST)
			*last = true;
	}
	return 0;
}

int pinreg_extents_walk(const struct pinreg_sys *sys, int fd, uint64_t length,
			pinreg_extent_function *visit, void *context)
{
	struct walk walk = { .length = length, .visit = visit, .context = context };
	bool last = false;
	while (walk.position < length && !last) {
		union reply reply;
		memset(&reply, 0, sizeof(reply));
		reply.head.fm_start = walk.position;
		reply.head.fm_length = length - walk.position;
		reply.head.fm_flags = FIEMAP_FLAG_SYNC;
		reply.head.fm_extent_count = PIECE;
		uint64_t before = walk.position;
		int status = sys->file_extents(fd, &reply.head);
		if (!status)
			status = report_piece(&walk, &reply, &last);
		if (status)
			return status;
		/* a reply that leads nowhere must not make this loop for ever */
		last |= walk.position == before;
	}
	return report(&walk, length, true, 0);
}

int pinreg_holes_walk(const struct pinreg_sys *sys, int fd, uint64_t length,
		      pinreg_extent_function *visit, void *context)
{
	struct walk walk = { .length = length, .visit = visit, .context = context };
	while (walk.position < length) {
		uint64_t data, hole;
		int status = sys->file_seek(fd, walk.position, true, &data);
		if (status == -ENXIO)
			break; /* nothing but a hole up to the end */
		if (!status)
			status = report(&walk, data, true, 0);
		if (!status && walk.position < length)
			status = sys->file_seek(fd, data, false, &hole);
		if (!status && walk.position < length)
			status = report(&walk, hole, false, 0);
		if (status)
			return status;
	}
	return report(&walk, length, true, 0);
}
