/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block_map.h -- where the blocks of a file lie, in a few numbers.
 */
#ifndef PINREG_FILE_BLOCK_MAP_H
#define PINREG_FILE_BLOCK_MAP_H

#include <stdint.h>

#include "file/extents.h"

struct pinreg_block_map {
	uint64_t extents; /* that have blocks */
	uint64_t huge;	  /* written bytes in huge pages that are aligned here and there */
	uint64_t hash;	  /* never 0 */
};

void pinreg_block_map_begin(struct pinreg_block_map *map);

/* The next extent or hole, in the order of a walk. */
void pinreg_block_map_add(struct pinreg_block_map *map, const struct pinreg_extent *extent);

#endif
