/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block_map.c -- where the blocks of a file lie, in a few numbers.
 */
#include "file/block_map.h"

/* What one entry of a middle page table maps, where pages have 4 KiB. */
#define HUGE_PAGE ((uint64_t)2 << 20)

#define HASH_BASIS UINT64_C(0xcbf29ce484222325)
#define HASH_PRIME UINT64_C(0x100000001b3)

/* By words, because there can be 100,000 extents; a step cannot lose a word. */
static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * HASH_PRIME;
	return hash ^ hash >> 29;
}

/* Huge pages that begin at a multiple of their size both here and on the device. */
static uint64_t huge_bytes(const struct pinreg_extent *extent)
{
	if ((extent->offset ^ extent->physical) % HUGE_PAGE)
		return 0;
	uint64_t end = (extent->offset + extent->length) / HUGE_PAGE * HUGE_PAGE;
	uint64_t start = (extent->offset + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
	return end > start ? end - start : 0;
}

void pinreg_block_map_begin(struct pinreg_block_map *map)
{
	*map = (struct pinreg_block_map){ .hash = HASH_BASIS };
}

void pinreg_block_map_add(struct pinreg_block_map *map, const struct pinreg_extent *extent)
{
	map->hash = mix(map->hash, extent->offset);
	map->hash = mix(map->hash, extent->length);
	map->hash = mix(map->hash, extent->hole ? UINT64_MAX : extent->physical);
	map->hash = mix(map->hash, extent->flags);
	map->hash += !map->hash; /* 0 means that nothing is known */
	if (extent->hole)
		return;
	map->extents++;
	if (!extent->flags)
		map->huge += huge_bytes(extent);
}
