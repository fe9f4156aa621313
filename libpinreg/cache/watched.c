/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watched.c -- which memory the monitor watches for a region.
 */
#include "cache/watched.h"

#include "cache/cache.h"
#include "cache/pending.h"

static uint64_t down(uint64_t addr, uint64_t unit)
{
	return addr & ~(unit - 1);
}

static uint64_t up(uint64_t addr, uint64_t unit)
{
	uint64_t end = down(addr + unit - 1, unit);
	return end < addr ? UINT64_MAX - unit + 1 : end;
}

/* The blocks of the range, as far as the mappings at both ends go. 0 or -errno. */
static int widen(const struct pinreg_sys *sys, uint64_t block, struct pinreg_watched *range)
{
	struct pinreg_maps maps;
	struct pinreg_mapping mapping;
	uint64_t lowest = 0, highest = 0;
	int status = sys->maps_begin(&maps);
	if (status)
		return status;
	status = sys->maps_find(&maps, range->start, &mapping);
	if (!status) {
		lowest = mapping.start;
		highest = mapping.end;
		if (highest < range->end)
			status = sys->maps_find(&maps, range->end - 1, &mapping);
		highest = mapping.end;
	}
	sys->maps_end(&maps);
	if (status || lowest > range->start || highest < range->end)
		return status ? status : -ENOENT;
	uint64_t low = down(range->start, block), high = up(range->end, block);
	range->start = low > lowest ? low : lowest;
	range->end = high < highest ? high : highest;
	return 0;
}

int pinreg_watched_add(struct pinreg_cache *cache, uint64_t start, uint64_t end, uint64_t block,
		       struct pinreg_watched *out)
{
	/* the further it reaches the rather something there cannot be watched, or is another's */
	for (;;) {
		*out = (struct pinreg_watched){ start, end };
		if (!widen(cache->device->sys, block, out) &&
		    !pinreg_monitor_watch(&cache->watcher, out->start, out->end - out->start))
			return 0;
		if (block <= PINREG_KNOWN_BLOCK)
			break;
		block = PINREG_KNOWN_BLOCK;
	}
	*out = (struct pinreg_watched){ start, end };
	return pinreg_monitor_watch(&cache->watcher, start, end - start);
}

static bool is_of_region(const struct pinreg_cache *cache, uint64_t start, uint64_t end)
{
	for (const struct pinreg_pending *one = cache->pending; one; one = one->next)
		if (one->start < end && start < one->end)
			return true;
	return pinreg_index_touching(&cache->index, start, end, 0);
}

bool pinreg_watched_remove(struct pinreg_cache *cache, uint64_t start, uint64_t end)
{
	uint64_t page = cache->device->sys->page_size();
	uint64_t low = down(start, page), high = up(end, page);
	/* others may have the rest of the first and of the last page */
	if (is_of_region(cache, low, low + page))
		low += page;
	if (high > low && is_of_region(cache, high - page, high))
		high -= page;
	if (high <= low)
		return true;
	pinreg_known_forget(&cache->known, low, high);
	return pinreg_monitor_unwatch(&cache->watcher, low, high - low);
}

void pinreg_watched_remove_each(struct pinreg_cache *cache, uint64_t start, uint64_t end)
{
	const struct pinreg_sys *sys = cache->device->sys;
	struct pinreg_mapping mapping;
	struct pinreg_maps maps;
	if (sys->maps_begin(&maps))
		return;
	while (start < end && !sys->maps_find(&maps, start, &mapping) && mapping.start < end) {
		uint64_t low = mapping.start > start ? mapping.start : start;
		uint64_t high = mapping.end < end ? mapping.end : end;
		pthread_mutex_lock(&cache->lock);
		/* others may have come since the range was given up */
		if (!is_of_region(cache, low, high))
			pinreg_watched_remove(cache, low, high);
		pthread_mutex_unlock(&cache->lock);
		start = mapping.end;
	}
	sys->maps_end(&maps);
}
