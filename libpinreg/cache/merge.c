/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * merge.c -- which regions a new one takes in.
 *
 * One that overlaps is always worth it: its pages would be pinned twice. One that only
 * lies beside is taken in while it is no longer than what there is by then: so of a
 * buffer that is asked for piece by piece each byte is registered about log2(pieces) times,
 * not with each piece that follows, and it ends as few regions.
 */
#include "cache/cache.h"
#include "cache/pending.h"

/* True, and the range is larger now. */
static bool take_in(const struct pinreg_cache *cache, struct pinreg_pending *range, uint32_t slot)
{
	uint64_t start = pinreg_slot_start(&cache->slots, slot);
	uint64_t end = pinreg_slot_end(&cache->slots, slot);
	bool overlaps = start < range->end && range->start < end;
	unsigned int access =
		pinreg_slot_access(&cache->slots, slot) & ~(unsigned int)IBV_ACCESS_ON_DEMAND;
	if (access != (range->access | cache->opts.access))
		return false;
	if (!overlaps && end - start > range->end - range->start)
		return false;
	start = start < range->start ? start : range->start;
	end = end > range->end ? end : range->end;
	if (end - start == range->end - range->start || end - start > cache->opts.max_merge)
		return false;
	range->start = start;
	range->end = end;
	return true;
}

bool pinreg_cache_merge(const struct pinreg_cache *cache, struct pinreg_pending *range)
{
	bool larger = !cache->opts.no_merge, alone = larger;
	while (larger) {
		uint64_t end = range->end == UINT64_MAX ? range->end : range->end + 1;
		uint32_t slot = 0;
		larger = false;
		do {
			slot = pinreg_index_touching(&cache->index, range->start - 1, end, slot);
			alone &= !slot;
			larger = slot && take_in(cache, range, slot);
		} while (slot && !larger);
	}
	return alone;
}
