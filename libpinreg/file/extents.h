/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extents.h -- the block map of a file, piece by piece.
 */
#ifndef PINREG_FILE_EXTENTS_H
#define PINREG_FILE_EXTENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "sys/sys.h"

/*
 * A stretch of the file, in bytes. flags: FIEMAP_EXTENT_* that say what the
 * blocks are, not those that describe the reply; a hole has none.
 */
struct pinreg_extent {
	uint64_t offset;
	uint64_t length;
	uint64_t physical; /* on the filesystem's device; 0: a hole, or not known */
	bool hole;
	unsigned int flags;
};

/*
 * Called in ascending order without gaps, neighbours that continue each other
 * on the device as one; a non-zero return ends the walk.
 */
typedef int pinreg_extent_function(void *context, const struct pinreg_extent *extent);

/*
 * Walk over [0, length), reported exactly, gaps as holes. 0, what the function
 * returned, or the -errno of FIEMAP (-EOPNOTSUPP: the filesystem has none).
 */
int pinreg_extents_walk(const struct pinreg_sys *sys, int fd, uint64_t length,
			pinreg_extent_function *visit, void *context);

/*
 * The same where there is no block map (tmpfs), by SEEK_DATA and SEEK_HOLE:
 * blocks that were allocated and never written count as holes.
 */
int pinreg_holes_walk(const struct pinreg_sys *sys, int fd, uint64_t length,
		      pinreg_extent_function *visit, void *context);

#endif
