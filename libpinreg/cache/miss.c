/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * miss.c -- registering what is not there.
 *
 * A registration under way is listed before its memory is watched, and is listed until
 * its slot is. So whatever becomes of the memory after it was looked at is told either
 * to the registration under way, which is not kept then, or to the slot.
 */
#include <errno.h>
#include <sched.h>

#include "base/why.h"
#include "cache/attempt.h"
#include "cache/cache.h"
#include "cache/sorts.h"

/* So long it is asked, again and again, whether an unmapping is over; others run meanwhile. */
#define PATIENCE_NS 100000000u

/* Is all told that was unmapped before now? With strict only; no: one unmaps all the time. */
static bool is_certain(struct pinreg_cache *cache)
{
	const struct pinreg_sys *sys = cache->device->sys;
	if (!cache->opts.strict)
		return true;
	uint64_t end = sys->now_ns() + PATIENCE_NS;
	/* where the kernel does not say, the monitor has been lost, and nothing is kept */
	while (pinreg_monitor_pending(&cache->watcher) > 0) {
		if (sys->now_ns() > end)
			return false;
		sched_yield();
	}
	return true;
}

/* What lies in the new region, and has no right that it lacks, is of no more use. */
static void retire_within(struct pinreg_cache *cache, uint32_t slot)
{
	const struct pinreg_region *region = &cache->slots.regions[slot];
	uint64_t start = region->addr, end = start + region->length;
	unsigned int access = pinreg_slot_access(&cache->slots, slot);
	uint32_t next = pinreg_index_touching(&cache->index, start, end, 0);
	for (uint32_t one; (one = next);) {
		next = pinreg_index_touching(&cache->index, start, end, one);
		if (one != slot && pinreg_slot_start(&cache->slots, one) >= start &&
		    pinreg_slot_end(&cache->slots, one) <= end &&
		    pinreg_access_fits(access, pinreg_slot_access(&cache->slots, one)))
			pinreg_cache_retire(cache, one);
	}
	pinreg_cache_settle(cache);
}

/*
 * Into the slot, and held. Under the lock. The registration is the slot's already, which
 * nobody looks at before it is LIVE.
 */
static void publish(struct pinreg_attempt *attempt, uint32_t slot)
{
	struct pinreg_cache *cache = attempt->cache;
	struct pinreg_region *region = &cache->slots.regions[slot];
	uint64_t access = region->facts->decision.plan.access & PINREG_SLOT_ACCESS_MASK;
	uint64_t state = atomic_load(&region->state) & ~(PINREG_SLOT_GENERATION - 1);
	state += PINREG_SLOT_GENERATION;
	state |= access << PINREG_SLOT_ACCESS_SHIFT;
	cache->pinned += pinreg_region_pinned(region) - attempt->pending.pinned;
	uint32_t now = atomic_load(&cache->now) + 1;
	atomic_store(&cache->now, now);
	atomic_store(&region->stamp, now);
	pinreg_holds_up(cache->holds, slot);
	if (attempt->pending.spoiled) {
		/* to be used once: the put finds it leaving */
		atomic_store(&region->state, state);
		pinreg_cache_spoil(cache, slot);
		return;
	}
	atomic_store(&region->state, state | PINREG_SLOT_LIVE);
	pinreg_index_insert(&cache->index, slot);
	pinreg_lru_add(&cache->lru, slot);
	if (!attempt->alone || attempt->published != cache->published)
		retire_within(cache, slot);
	cache->published++;
}

/* Who asked for it holds what was made, in a slot or not. */
static struct pinreg_region *keep(struct pinreg_attempt *attempt)
{
	struct pinreg_cache *cache = attempt->cache;
	const struct pinreg_region_facts *facts =
		attempt->keep ? pinreg_sort_of(cache, attempt->made) : NULL;
	uint32_t slot = attempt->pending.slot;
	if (!facts || !slot)
		return attempt->made;
	struct pinreg_region *region = &cache->slots.regions[slot];
	pinreg_region_move(attempt->made, facts, region);
	region->number = slot;
	return region;
}

/* May more regions of that mapping be made in the same way? Under the lock. */
static void remember(struct pinreg_attempt *attempt, const struct pinreg_region *region)
{
	struct pinreg_cache *cache = attempt->cache;
	const struct pinreg_watched *plain = &attempt->plain;
	/* more is watched than is listed: any change may have been of that */
	if (plain->end && attempt->told == cache->told && !attempt->pending.spoiled &&
	    region->facts->decision.plan.method == PINREG_METHOD_PIN &&
	    attempt->access & IBV_ACCESS_LOCAL_WRITE &&
	    cache->opts.granularity == PINREG_GRANULARITY_BYTE)
		pinreg_known_add(&cache->known, plain->start, plain->end, attempt->access,
				 region->facts);
}

/* The end of it, under the lock. */
static void end(struct pinreg_attempt *attempt, struct pinreg_region *region)
{
	struct pinreg_cache *cache = attempt->cache;
	if (region && region->number) {
		remember(attempt, region);
		publish(attempt, region->number);
	} else {
		pinreg_pending_unreserve(cache, &attempt->pending);
		cache->singles += !!region;
		cache->unkept += !!region;
	}
	pinreg_pending_unlist(cache, &attempt->pending);
}

/* The larger range first, then the one that was asked for. */
static int attempt_both(struct pinreg_attempt *attempt, const struct pinreg_want *want,
			struct pinreg_why *why)
{
	struct pinreg_cache *cache = attempt->cache;
	struct pinreg_pending *range = &attempt->pending;
	if (range->end - range->start > want->end - want->start) {
		int status = range->slot ? pinreg_attempt_wide(attempt, want->access, true, why)
					 : -ENOMEM;
		if (!status && attempt->keep)
			return 0;
		/* where it cannot be ended it serves as well, and its put tries again */
		if (!status && pinreg_region_deregister(attempt->made))
			return 0;
		pthread_mutex_lock(&cache->lock);
		pinreg_pending_unreserve(cache, &attempt->pending);
		range->start = want->start;
		range->end = want->end;
		cache->merges--;
		pinreg_pending_reserve(cache, range, false);
		pthread_mutex_unlock(&cache->lock);
	}
	return pinreg_attempt_at_any_cost(attempt, want->access, why);
}

/* 0: nothing is there. Under the lock, which is let go while it waits. */
static uint32_t find_or_wait(struct pinreg_cache *cache, const struct pinreg_want *want)
{
	for (;;) {
		bool changing = atomic_load(&cache->care) & PINREG_CARE_CHANGING;
		uint32_t slot = changing ? 0 : pinreg_cache_find(cache, want);
		if (slot)
			return slot;
		if (!changing && !pinreg_pending_covers(cache, want))
			return 0;
		pthread_cond_wait(&cache->settled, &cache->lock);
	}
}

int pinreg_cache_miss(struct pinreg_cache *cache, const struct pinreg_want *want,
		      struct pinreg_why *why, struct pinreg_region **out)
{
	struct pinreg_attempt attempt = { .cache = cache, .block = PINREG_KNOWN_BLOCK };
	bool certain = is_certain(cache);
	pinreg_holds_have_row(cache->holds);
	pthread_mutex_lock(&cache->lock);
	uint32_t slot = certain ? find_or_wait(cache, want) : 0;
	if (slot) {
		cache->found++;
		pthread_mutex_unlock(&cache->lock);
		*out = &cache->slots.regions[slot];
		return 0;
	}
	cache->misses++;
	attempt.pending.start = want->start;
	attempt.pending.end = want->end;
	attempt.pending.access = want->access;
	attempt.alone = pinreg_cache_merge(cache, &attempt.pending);
	cache->merges += attempt.pending.end - attempt.pending.start > want->end - want->start;
	pinreg_pending_list(cache, &attempt.pending);
	attempt.told = cache->told;
	attempt.published = cache->published;
	bool larger = attempt.pending.end - attempt.pending.start > want->end - want->start;
	pinreg_pending_reserve(cache, &attempt.pending, larger);
	attempt.ended = cache->ended;
	const struct pinreg_region_facts *facts = NULL;
	/* only what has been told of is forgotten */
	if (certain)
		facts = pinreg_known_find(&cache->known, attempt.pending.start, attempt.pending.end,
					  want->access | cache->opts.access);
	if (!facts)
		attempt.block = pinreg_known_block(&cache->known, attempt.pending.start,
						   attempt.pending.end);
	pthread_mutex_unlock(&cache->lock);

	struct pinreg_region *region = pinreg_attempt_as_before(&attempt, facts);
	int status = region ? 0 : attempt_both(&attempt, want, why);
	if (!region && !status)
		region = keep(&attempt);
	pthread_mutex_lock(&cache->lock);
	end(&attempt, region);
	if (region && region->number)
		pinreg_hints_set(&cache->hints, want->start, region->number, cache->lru.count);
	pinreg_cache_reap(cache);
	pthread_mutex_unlock(&cache->lock);
	if (!status)
		*out = region;
	return status;
}

int pinreg_cache_end_single(struct pinreg_cache *cache, struct pinreg_region *region)
{
	int status = pinreg_region_deregister(region);
	if (status)
		return status;
	pthread_mutex_lock(&cache->lock);
	cache->singles--;
	pthread_mutex_unlock(&cache->lock);
	return 0;
}
