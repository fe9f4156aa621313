/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extents.c -- reading the block map by FIEMAP in pieces, or, where there is
 * none, what is data and what a hole.
 */
#include "file/extents.h"

#include <errno.h>
#include <linux/fiemap.h>
#include <string.h>

/* Extents a call. Of 100,000 extents no larger piece is faster by more than a twentieth. */
#define PIECE 64

/* The kernel writes the extents right behind the head. */
union reply {
	struct fiemap head;
	char room[sizeof(struct fiemap) + PIECE * sizeof(struct fiemap_extent)];
};

/* Flags that tell of the reply and not of the blocks. */
#define OF_THE_REPLY ((uint32_t)(FIEMAP_EXTENT_LAST | FIEMAP_EXTENT_MERGED))

/* Where a walk is. */
struct walk {
	uint64_t position; /* everything before it was taken in */
	uint64_t length;
	struct pinreg_extent pending; /* of length 0: nothing; not reported yet */
	pinreg_extent_function *visit;
	void *context;
};

static bool continues(const struct pinreg_extent *first, const struct pinreg_extent *next)
{
	if (first->hole != next->hole || first->flags != next->flags)
		return false;
	/* where the place is not known both are 0 */
	return first->physical ? first->physical + first->length == next->physical
			       : !next->physical;
}

static int report_pending(struct walk *walk)
{
	struct pinreg_extent extent = walk->pending;
	walk->pending.length = 0;
	return extent.length ? walk->visit(walk->context, &extent) : 0;
}

/* Take in [walk->position, until) and move on. physical: where that lies. */
static int take(struct walk *walk, uint64_t until, bool hole, uint64_t physical, unsigned int flags)
{
	if (until > walk->length)
		until = walk->length;
	if (until <= walk->position)
		return 0;
	struct pinreg_extent extent = {
		.offset = walk->position,
		.length = until - walk->position,
		.physical = physical,
		.hole = hole,
		.flags = flags,
	};
	walk->position = until;
	if (walk->pending.length && continues(&walk->pending, &extent)) {
		walk->pending.length += extent.length;
		return 0;
	}
	int status = report_pending(walk);
	walk->pending = extent;
	return status;
}

static int take_extent(struct walk *walk, const struct fiemap_extent *extent)
{
	/* a reply may begin before the place that was asked for */
	uint64_t known =
		walk->position > extent->fe_logical ? walk->position - extent->fe_logical : 0;
	uint64_t physical = extent->fe_physical ? extent->fe_physical + known : 0;
	int status = take(walk, extent->fe_logical, true, 0, 0);
	if (status)
		return status;
	return take(walk, extent->fe_logical + extent->fe_length, false, physical,
		    extent->fe_flags & ~OF_THE_REPLY);
}

/* One piece. *last is set when the file has no more extents. */
static int take_piece(struct walk *walk, const union reply *reply, bool *last)
{
	unsigned int got = reply->head.fm_mapped_extents;
	if (got > PIECE)
		got = PIECE;
	*last = got == 0;
	for (unsigned int i = 0; i < got && !*last; i++) {
		int status = take_extent(walk, &reply->head.fm_extents[i]);
		if (status)
			return status;
		*last = reply->head.fm_extents[i].fe_flags & FIEMAP_EXTENT_LAST;
	}
	return 0;
}

/* What is left is a hole, and the walk ends. */
static int finish(struct walk *walk)
{
	int status = take(walk, walk->length, true, 0, 0);
	return status ? status : report_pending(walk);
}

int pinreg_extents_walk(const struct pinreg_sys *sys, int fd, uint64_t length,
			pinreg_extent_function *visit, void *context)
{
	struct walk walk = { .length = length, .visit = visit, .context = context };
	bool last = false;
	while (walk.position < length && !last) {
		union reply reply;
		reply.head = (struct fiemap){ 0 };
		reply.head.fm_start = walk.position;
		reply.head.fm_length = length - walk.position;
		reply.head.fm_flags = FIEMAP_FLAG_SYNC;
		reply.head.fm_extent_count = PIECE;
		uint64_t before = walk.position;
		int status = sys->file_extents(fd, &reply.head);
		if (!status)
			status = take_piece(&walk, &reply, &last);
		if (status)
			return status;
		/* a reply that leads nowhere must not make this loop for ever */
		last |= walk.position == before;
	}
	return finish(&walk);
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
			status = take(&walk, data, true, 0, 0);
		if (!status && walk.position < length)
			status = sys->file_seek(fd, data, false, &hole);
		if (!status && walk.position < length)
			status = take(&walk, hole, false, 0, 0);
		if (status)
			return status;
	}
	return finish(&walk);
}
