/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verify.c -- are a file's blocks as they must be?
 */
#include "file/verify.h"

#include <linux/fiemap.h>

#include "file/block_map.h"
#include "file/extents.h"

/* What neither peers nor the CPU can rely on. */
#define NOT_PLACED (FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC)
#define NOT_PLAIN                                                                                  \
	(FIEMAP_EXTENT_ENCODED | FIEMAP_EXTENT_DATA_ENCRYPTED | FIEMAP_EXTENT_NOT_ALIGNED |        \
	 FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_DATA_TAIL)

/*
 * What a file may not have. Page cache stands between peers and the blocks, so
 * there it does not matter what they look like, only that they are there.
 */
#define FLAWS_CACHE (NOT_PLACED | FIEMAP_EXTENT_UNWRITTEN)
#define FLAWS_DAX (FLAWS_CACHE | NOT_PLAIN | FIEMAP_EXTENT_SHARED)

struct look {
	const struct pinreg_verify *verify;
	struct pinreg_file_report *report;
	struct pinreg_block_map map;
};

static void count_bytes(struct pinreg_file_report *report, const struct pinreg_extent *extent)
{
	report->holes += extent->hole ? extent->length : 0;
	report->unwritten += extent->flags & FIEMAP_EXTENT_UNWRITTEN ? extent->length : 0;
	report->shared += extent->flags & FIEMAP_EXTENT_SHARED ? extent->length : 0;
	report->other += extent->flags & (NOT_PLACED | NOT_PLAIN) ? extent->length : 0;
}

static int look_at(void *context, const struct pinreg_extent *extent)
{
	struct look *look = context;
	const struct pinreg_verify *verify = look->verify;
	unsigned int flaws = extent->flags & (verify->dax ? FLAWS_DAX : FLAWS_CACHE);
	pinreg_block_map_add(&look->map, extent);
	count_bytes(look->report, extent);
	if (!extent->hole && !flaws)
		return 0;
	look->report->flaws++;
	if (!verify->flaw)
		return 0;
	struct pinreg_flaw flaw = {
		.offset = extent->offset,
		.length = extent->length,
		.flags = extent->flags,
	};
	return verify->flaw(verify->context, &flaw);
}

int pinreg_verify_blocks(const struct pinreg_verify *verify, struct pinreg_file_report *out)
{
	struct look look = { .verify = verify, .report = out };
	pinreg_block_map_begin(&look.map);
	out->flaws = 0;
	out->holes = 0;
	out->unwritten = 0;
	out->shared = 0;
	out->other = 0;
	int status = (verify->tmpfs ? pinreg_holes_walk : pinreg_extents_walk)(
		verify->sys, verify->fd, verify->length, look_at, &look);
	out->extents = look.map.extents;
	out->block_map = status || verify->tmpfs ? 0 : look.map.hash;
	out->huge = verify->dax ? look.map.huge : 0;
	return status;
}

const char *pinreg_verify_call(const struct pinreg_verify *verify)
{
	return verify->tmpfs ? "SEEK_HOLE" : "FIEMAP";
}
