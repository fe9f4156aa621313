/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * blocks.h -- where a file has its blocks, asked of the kernel by FIEMAP alone.
 */
#ifndef PINREG_TESTS_SUPPORT_BLOCKS_H
#define PINREG_TESTS_SUPPORT_BLOCKS_H

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdint.h>

#define BLOCKS_MAX 32

union blocks {
	struct fiemap map; /* its extents lie behind it: map.fm_extents */
	char room[sizeof(struct fiemap) + BLOCKS_MAX * sizeof(struct fiemap_extent)];
};

/* The first extents of a part of the file. Fails the case. */
void blocks_read(int fd, uint64_t offset, uint64_t length, union blocks *out);

#endif
