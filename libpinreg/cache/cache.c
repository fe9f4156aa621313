/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache.c -- opening, asking and closing a cache of registrations.
 */
#include "cache/cache.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/opts.h"
#include "base/thread.h"
#include "base/why.h"
#include "cache/pending.h"
#include "cache/sorts.h"
#include "cache/watched.h"

#define MAX_REGIONS 65536
#define MAX_MERGE (64ull << 20)

/* ---- what the monitor tells ---- */

static void changing(void *context)
{
	struct pinreg_cache *cache = context;
	/* seen by whoever is stopped in the kernel until the messages are read */
	atomic_fetch_or(&cache->care, PINREG_CARE_CHANGING);
}

static void changed(void *context, uint64_t addr, uint64_t length)
{
	struct pinreg_cache *cache = context;
	pthread_mutex_lock(&cache->lock);
	if (pinreg_cache_retire_range(cache, addr, addr + length)) {
		cache->dying = true;
		pthread_cond_signal(&cache->died);
	}
	pthread_mutex_unlock(&cache->lock);
}

static void settled(void *context)
{
	struct pinreg_cache *cache = context;
	pthread_mutex_lock(&cache->lock);
	atomic_fetch_and(&cache->care, ~PINREG_CARE_CHANGING);
	pthread_cond_broadcast(&cache->settled);
	pthread_mutex_unlock(&cache->lock);
}

static const struct pinreg_cache_monitor_hooks hooks = {
	.begin = changing,
	.changed = changed,
	.end = settled,
};

/* ---- opening ---- */

static int set_defaults(struct pinreg_cache_opts *opts)
{
	if (!opts->max_regions)
		opts->max_regions = MAX_REGIONS;
	if (!opts->max_bytes)
		opts->max_bytes = UINT64_MAX;
	if (!opts->max_pinned)
		opts->max_pinned = UINT64_MAX;
	if (!opts->max_merge)
		opts->max_merge = MAX_MERGE;
	bool watches = opts->monitor == PINREG_MONITOR_AUTO || opts->monitor == PINREG_MONITOR_UFFD;
	if (opts->monitor > PINREG_MONITOR_MANUAL || opts->strict > 1 || opts->keep_files > 1 ||
	    opts->no_merge > 1 || opts->allow_private_file > 1 || opts->no_populate > 1)
		return -EINVAL;
	if ((opts->strict || opts->keep_files) && !watches)
		return -EINVAL;
	if (opts->access &
	    (~(unsigned int)PINREG_SLOT_ACCESS_MASK | PINREG_ACCESS_EXACT | IBV_ACCESS_ON_DEMAND))
		return -EINVAL;
	if (opts->method > PINREG_METHOD_ODP || opts->granularity > PINREG_GRANULARITY_PAGE)
		return -EINVAL;
	return opts->max_regions > PINREG_SLOTS_MAX ? -EINVAL : 0;
}

/* 0, or -errno with *why. */
static int start_reaper(struct pinreg_cache *cache, struct pinreg_why *why)
{
	int status =
		pinreg_thread_start(&cache->reaper, "pinreg-reaper", pinreg_cache_reaper, cache);
	cache->reaping = !status;
	return status ? pinreg_why_call(why, PINREG_REASON_VERBS, "pthread_create", status) : 0;
}

static void stop_reaper(struct pinreg_cache *cache)
{
	if (!cache->reaping)
		return;
	pthread_mutex_lock(&cache->lock);
	cache->stop = true;
	pthread_cond_signal(&cache->died);
	pthread_mutex_unlock(&cache->lock);
	pthread_join(cache->reaper, NULL);
	cache->reaping = false;
	cache->stop = false;
}

/* Have the monitor that was asked for, or that can be had. 0, or -errno with *why. */
static int choose_monitor(struct pinreg_cache *cache, struct pinreg_why *why)
{
	bool any = cache->opts.monitor == PINREG_MONITOR_AUTO;
	cache->monitor = cache->opts.monitor;
	if (!any && cache->monitor != PINREG_MONITOR_UFFD)
		return 0;
	cache->monitor = PINREG_MONITOR_UFFD;
	int status = pinreg_monitor_start(&cache->watcher, cache->device->sys, &hooks, cache,
					  cache->opts.strict, &cache->monitor_why);
	if (!status) {
		status = start_reaper(cache, why);
		if (status)
			pinreg_monitor_stop(&cache->watcher);
		return status;
	}
	if (!any || cache->opts.strict) {
		if (why)
			*why = cache->monitor_why;
		return status;
	}
	cache->monitor = PINREG_MONITOR_ODP;
	return 0;
}

static void free_tables(struct pinreg_cache *cache)
{
	const struct pinreg_sys *sys = cache->device->sys;
	pinreg_lru_close(&cache->lru, sys);
	pinreg_hints_close(&cache->hints);
	pinreg_holds_close(cache->holds);
	pinreg_slots_close(&cache->slots, sys);
	pthread_cond_destroy(&cache->died);
	pthread_cond_destroy(&cache->settled);
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

static bool hint_start(void *context, uint32_t slot, uint64_t *start)
{
	const struct pinreg_cache *cache = context;
	const struct pinreg_region *region = &cache->slots.regions[slot];
	/* another region may be on its way into the slot; that one is not LIVE yet */
	*start = __atomic_load_n(&region->addr, __ATOMIC_RELAXED);
	return atomic_load_explicit(&region->state, memory_order_relaxed) & PINREG_SLOT_LIVE;
}

static int make_tables(struct pinreg_cache *cache)
{
	const struct pinreg_sys *sys = cache->device->sys;
	uint32_t max = (uint32_t)cache->opts.max_regions;
	int status = pinreg_slots_open(&cache->slots, sys, max);
	if (!status)
		status = pinreg_holds_open(sys, max, &cache->holds);
	if (!status)
		status = pinreg_hints_open(&cache->hints, sys, max, hint_start, cache);
	if (!status)
		status = pinreg_lru_open(&cache->lru, sys, &cache->slots);
	cache->index.slots = &cache->slots;
	return status;
}

int pinreg_cache_open_at(const struct pinreg_cache_home *home, const struct pinreg_cache_opts *opts,
			 struct pinreg_why *why, struct pinreg_cache **out)
{
	struct pinreg_cache_opts known;
	pinreg_why_set(why, PINREG_REASON_NONE, 0);
	if (pinreg_opts_read(opts, &known, sizeof(known)) || set_defaults(&known))
		return pinreg_why_set(why, PINREG_REASON_BAD_OPTION, -EINVAL);
	struct pinreg_cache *cache = aligned_alloc(64, (sizeof(*cache) + 63) & ~63ul);
	if (!cache)
		return pinreg_why_call(why, PINREG_REASON_VERBS, "aligned_alloc", -ENOMEM);
	*cache = (struct pinreg_cache){
		.home = *home,
		.opts = known,
		.device = home->place.device,
		.epoch = home->place.device->epoch,
		.care = known.strict ? PINREG_CARE_STRICT : 0,
	};
	pthread_mutex_init(&cache->lock, NULL);
	pthread_cond_init(&cache->settled, NULL);
	pthread_cond_init(&cache->died, NULL);
	int status = make_tables(cache);
	if (status)
		pinreg_why_call(why, PINREG_REASON_VERBS, "mmap", status);
	else
		status = choose_monitor(cache, why);
	if (status)
		free_tables(cache);
	if (status)
		return status;
	atomic_fetch_add(home->caches, 1);
	*out = cache;
	return 0;
}

/* ---- closing ---- */

/* How many are in use. Under the lock, with all seen that was done before. */
static uint64_t count_held(struct pinreg_cache *cache)
{
	uint64_t held = cache->singles;
	for (uint32_t slot = 1; slot <= cache->slots.used; slot++)
		held += pinreg_holds_any(cache->holds, slot);
	return held;
}

int pinreg_cache_close(struct pinreg_cache *cache)
{
	if (!cache)
		return 0;
	if (pinreg_device_inherited(cache->device))
		return -EPERM;
	pthread_mutex_lock(&cache->lock);
	int status = pinreg_holds_barrier(cache->holds);
	if (!status && count_held(cache))
		status = -EBUSY;
	while (!status && cache->lru.count)
		pinreg_cache_retire(cache, cache->lru.heap[1]);
	pinreg_cache_settle(cache);
	/* what the other thread fails to end has to be known too */
	while (!status && (cache->dead || cache->endings)) {
		pinreg_cache_endings_wait(cache);
		status = pinreg_cache_reap(cache);
	}
	pthread_mutex_unlock(&cache->lock);
	if (status)
		return status;
	if (cache->monitor == PINREG_MONITOR_UFFD)
		pinreg_monitor_stop(&cache->watcher);
	stop_reaper(cache);
	pinreg_sorts_free(cache);
	atomic_fetch_sub(cache->home.caches, 1);
	free_tables(cache);
	return 0;
}

/* ---- what the owner says and asks ---- */

int pinreg_cache_invalidate(struct pinreg_cache *cache, void *addr, size_t length)
{
	uint64_t start = (uintptr_t)addr, end = start + length;
	if (!cache || end < start || (addr && !length))
		return -EINVAL;
	if (pinreg_device_inherited(cache->device))
		return -EPERM;
	if (!addr && !length)
		end = UINT64_MAX;
	pthread_mutex_lock(&cache->lock);
	pinreg_cache_retire_range(cache, start, end);
	bool unwatched = cache->monitor != PINREG_MONITOR_UFFD || !addr ||
			 pinreg_watched_remove(cache, start, end);
	int status = pinreg_cache_reap(cache);
	/* others may have begun with one of them, and may fail */
	pinreg_cache_endings_wait(cache);
	if (!status)
		status = pinreg_cache_reap(cache);
	pthread_mutex_unlock(&cache->lock);
	if (!unwatched)
		pinreg_watched_remove_each(cache, start, end);
	return status;
}

int pinreg_cache_query(struct pinreg_cache *cache, struct pinreg_cache_info *out)
{
	if (!cache || pinreg_info_check(out, offsetof(struct pinreg_cache_info, strict)))
		return -EINVAL;
	if (pinreg_device_inherited(cache->device))
		return -EPERM;
	pthread_mutex_lock(&cache->lock);
	/* who asks after he has unmapped something is told of what came of it */
	while (atomic_load(&cache->care) & PINREG_CARE_CHANGING)
		pthread_cond_wait(&cache->settled, &cache->lock);
	pinreg_holds_barrier(cache->holds);
	struct pinreg_cache_info info = {
		.monitor = cache->monitor,
		.strict = cache->opts.strict,
		.why = cache->monitor_why,
		.hits = cache->found + pinreg_holds_hits(cache->holds),
		.misses = cache->misses,
		.evictions = cache->evictions,
		.invalidations = cache->invalidations,
		.merges = cache->merges,
		.unkept = cache->unkept,
		.regions = cache->count,
		.in_use = count_held(cache),
		.bytes = cache->bytes,
		.pinned = cache->pinned,
	};
	for (const struct pinreg_pending *one = cache->pending; one; one = one->next) {
		info.regions -= !!one->slot;
		info.bytes -= one->slot ? one->end - one->start : 0;
		info.pinned -= one->slot ? one->pinned : 0;
	}
	pthread_mutex_unlock(&cache->lock);
	pinreg_info_write(out, &info, sizeof(info));
	return 0;
}

const char *pinreg_monitor_name(enum pinreg_monitor monitor)
{
	static const char *const names[] = { "auto", "odp", "uffd", "manual" };
	return (unsigned int)monitor < sizeof(names) / sizeof(*names) ? names[monitor] : "?";
}
