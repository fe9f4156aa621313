/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attempt.c -- the ways to register what is not there.
 */
#include "cache/attempt.h"

#include <errno.h>

#include "cache/heard.h"
#include "region/populate.h"

/*
 * May it be kept, as far as its kind goes? ASSUMPTIONS: watched before it was made; who
 * asks for a region does not map its memory anew meanwhile. So the mapping that is found
 * there is the one that is watched; beside it others may have been put meanwhile.
 */
static bool is_sound(struct pinreg_attempt *attempt, const struct pinreg_watched *watched)
{
	struct pinreg_cache *cache = attempt->cache;
	const struct pinreg_pending *range = &attempt->pending;
	if (pinreg_region_facts_of(attempt->made)->decision.plan.method == PINREG_METHOD_ODP)
		return true;
	if (cache->monitor != PINREG_MONITOR_UFFD)
		return cache->monitor == PINREG_MONITOR_MANUAL;
	uint64_t length = range->end - range->start;
	if (!watched->end)
		return false;
	struct pinreg_heard heard =
		pinreg_heard_of(cache->device->sys, range->start, length, cache->opts.keep_files);
	if (heard.end) {
		uint64_t start = heard.start > watched->start ? heard.start : watched->start;
		uint64_t end = heard.end < watched->end ? heard.end : watched->end;
		attempt->plain = (struct pinreg_watched){ start, end };
	}
	return heard.keep && pinreg_monitor_settled(&cache->watcher, range->start, length);
}

/* Register the listed range with these rights. 0, or -errno with *why. */
static int make(struct pinreg_attempt *attempt, unsigned int access, bool single_kind,
		struct pinreg_why *why)
{
	struct pinreg_cache *cache = attempt->cache;
	void *addr = (void *)(uintptr_t)attempt->pending.start;
	uint64_t length = attempt->pending.end - attempt->pending.start;
	struct pinreg_region_opts opts = {
		.size = sizeof(opts),
		.access = access,
		.method = cache->opts.method,
		.granularity = cache->opts.granularity,
		.allow_private_file = cache->opts.allow_private_file,
		.no_staging = 1,
		.single_kind = single_kind,
		.no_populate = cache->opts.no_populate,
		.threads = cache->opts.threads,
	};
	attempt->keep = false;
	attempt->plain = (struct pinreg_watched){ 0 };
	if (cache->home.on_file(cache->home.context, attempt->pending.start, length))
		return cache->home.on_file_register(cache->home.context, addr, length, &opts, why,
						    &attempt->made);
	attempt->access = access;
	struct pinreg_watched watched = { 0 };
	if (cache->monitor == PINREG_MONITOR_UFFD &&
	    pinreg_watched_add(cache, attempt->pending.start, attempt->pending.end, attempt->block,
			       &watched))
		watched = (struct pinreg_watched){ 0 };
	int status =
		pinreg_region_make(&cache->home.place, addr, length, &opts, why, &attempt->made);
	attempt->keep = !status && is_sound(attempt, &watched);
	return status;
}

int pinreg_attempt_wide(struct pinreg_attempt *attempt, unsigned int access, bool single_kind,
			struct pinreg_why *why)
{
	unsigned int wide = access | attempt->cache->opts.access;
	int status = make(attempt, wide, single_kind, why);
	if (status == -EACCES && wide != access)
		status = make(attempt, access, single_kind, why);
	return status;
}

/* So often it is tried, as others may take the room again; by then all idle ones have gone. */
#define TRIES 25u

int pinreg_attempt_at_any_cost(struct pinreg_attempt *attempt, unsigned int access,
			       struct pinreg_why *why)
{
	struct pinreg_cache *cache = attempt->cache;
	uint64_t since = attempt->ended, more = 1;
	int status = pinreg_attempt_wide(attempt, access, false, why);
	for (unsigned int tries = 1; status == -ENOMEM && tries < TRIES; tries++) {
		pthread_mutex_lock(&cache->lock);
		bool gone = pinreg_cache_evict(cache, more);
		pinreg_cache_reap(cache);
		/* what others have begun to end makes room too */
		gone = gone || pinreg_cache_others_end(cache, &since);
		pthread_mutex_unlock(&cache->lock);
		if (!gone)
			break;
		more *= 2;
		status = pinreg_attempt_wide(attempt, access, false, why);
	}
	return status;
}

struct pinreg_region *pinreg_attempt_as_before(struct pinreg_attempt *attempt,
					       const struct pinreg_region_facts *facts)
{
	struct pinreg_cache *cache = attempt->cache;
	uint64_t start = attempt->pending.start, length = attempt->pending.end - start;
	struct pinreg_populate how = {
		.write = true,
		.huge = true,
		.threads = cache->opts.threads,
	};
	uint32_t slot = attempt->pending.slot;
	/* of no leased file: it is anonymous */
	if (!facts || !slot || !pinreg_monitor_settled(&cache->watcher, start, length))
		return NULL;
	if (!cache->opts.no_populate)
		pinreg_populate_range(cache->device, (void *)(uintptr_t)start, length, &how);
	struct pinreg_region *region = &cache->slots.regions[slot];
	if (pinreg_region_fill(facts, start, length, region))
		return NULL;
	region->number = slot;
	return region;
}
