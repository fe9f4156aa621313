/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pending.c -- registrations under way, and room for them.
 */
#include "cache/pending.h"

void pinreg_pending_list(struct pinreg_cache *cache, struct pinreg_pending *pending)
{
	pending->next = cache->pending;
	pending->link = &cache->pending;
	if (pending->next)
		pending->next->link = &pending->next;
	cache->pending = pending;
}

void pinreg_pending_unlist(struct pinreg_cache *cache, struct pinreg_pending *pending)
{
	*pending->link = pending->next;
	if (pending->next)
		pending->next->link = pending->link;
	pthread_cond_broadcast(&cache->settled);
}

bool pinreg_pending_covers(const struct pinreg_cache *cache, const struct pinreg_want *want)
{
	for (const struct pinreg_pending *one = cache->pending; one; one = one->next)
		if (!one->spoiled && one->start <= want->start && want->end <= one->end &&
		    pinreg_access_fits(one->access, want->access))
			return true;
	return false;
}

/*
 * To learn who holds a region costs as much for many as for one. So of a cache with too
 * many some go at once, but a small part, so that next to all of it is used.
 */
#define BATCH 16u
#define PART 16u

static uint64_t to_evict(const struct pinreg_cache *cache)
{
	uint64_t part = cache->opts.max_regions / PART;
	if (cache->count < cache->opts.max_regions || !part)
		return 1;
	return part < BATCH ? part : BATCH;
}

static bool has_room(const struct pinreg_cache *cache, uint64_t bytes, uint64_t pinned)
{
	const struct pinreg_cache_opts *opts = &cache->opts;
	return cache->count < opts->max_regions && cache->bytes <= opts->max_bytes &&
	       bytes <= opts->max_bytes - cache->bytes && cache->pinned <= opts->max_pinned &&
	       pinned <= opts->max_pinned - cache->pinned;
}

/* So often others are waited for, who may take the room again. */
#define PATIENCE 8u

/* False: nothing can go, or for an optional range should. */
static bool make_room(struct pinreg_cache *cache, bool optional, uint64_t *since,
		      unsigned int *patience)
{
	/* a larger range is not worth regions that have nothing to do with it */
	if (optional && cache->count < cache->opts.max_regions)
		return false;
	if (pinreg_cache_evict(cache, to_evict(cache))) {
		pinreg_cache_reap(cache);
		return true;
	}
	return (*patience)-- && pinreg_cache_others_end(cache, since);
}

void pinreg_pending_reserve(struct pinreg_cache *cache, struct pinreg_pending *pending,
			    bool optional)
{
	uint64_t since = cache->ended;
	unsigned int patience = PATIENCE;
	uint64_t bytes = pending->end - pending->start;
	uint64_t page = cache->device->sys->page_size();
	uint64_t first = pending->start & ~(page - 1);
	pending->pinned = (pending->end - first + page - 1) & ~(page - 1);
	if (bytes > cache->opts.max_bytes || pending->pinned > cache->opts.max_pinned)
		return;
	if (!has_room(cache, bytes, pending->pinned))
		pinreg_cache_reap(cache);
	while (!has_room(cache, bytes, pending->pinned))
		if (!make_room(cache, optional, &since, &patience))
			return;
	/* there is one: each that is taken is counted */
	pending->slot = pinreg_slots_take(&cache->slots);
	cache->count++;
	cache->bytes += bytes;
	cache->pinned += pending->pinned;
}

void pinreg_pending_unreserve(struct pinreg_cache *cache, struct pinreg_pending *pending)
{
	if (!pending->slot)
		return;
	pinreg_slots_release(&cache->slots, pending->slot);
	pending->slot = 0;
	cache->count--;
	cache->bytes -= pending->end - pending->start;
	cache->pinned -= pending->pinned;
}
