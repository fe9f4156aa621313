/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hit.c -- giving out a region that is there, and taking it back.
 *
 * Without the lock: count up, then look at the state. LIVE says that the region is not
 * ended before it is counted down again, and that its range is what is read after that.
 */
#include <errno.h>
#include <stddef.h>

#include "base/opts.h"
#include "base/why.h"
#include "cache/cache.h"

#define DEFAULT_ACCESS (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)

/* What the state of a region that fits is, where looked at. */
struct wanted {
	uint64_t state, looked_at;
};

static inline struct wanted state_wanted(unsigned int access)
{
	uint64_t rights = (uint64_t)access << PINREG_SLOT_ACCESS_SHIFT;
	uint64_t exact = (uint64_t)PINREG_ACCESS_EXACT << PINREG_SLOT_ACCESS_SHIFT;
	return (struct wanted){ rights | PINREG_SLOT_LIVE, rights | exact | PINREG_SLOT_LIVE };
}

static inline bool fits(const struct pinreg_region *region, struct wanted wanted, uint64_t start,
			uint64_t end)
{
	uint64_t state = atomic_load_explicit(&region->state, memory_order_acquire);
	return (state & wanted.looked_at) == wanted.state && region->addr <= start &&
	       end <= region->addr + region->length;
}

/* Count out. */
static void let_go(struct pinreg_cache *cache, struct pinreg_region *region, uint32_t slot)
{
	pinreg_holds_down(cache->holds, slot);
	uint64_t state = atomic_load_explicit(&region->state, memory_order_acquire);
	if (state & PINREG_SLOT_LEAVING)
		pinreg_cache_leave(cache, slot);
}

/* Is all told that has been unmapped before now? */
static bool is_settled(struct pinreg_cache *cache)
{
	if (cache->opts.strict && pinreg_monitor_pending(&cache->watcher))
		return false;
	return !(atomic_load_explicit(&cache->care, memory_order_acquire) & PINREG_CARE_CHANGING);
}

/* One that a hint leads to, held; NULL: none that fits. */
static struct pinreg_region *look(struct pinreg_cache *cache, uint64_t start, uint64_t end,
				  unsigned int access)
{
	struct wanted wanted = state_wanted(access);
	struct pinreg_hints_found found = pinreg_hints_find(&cache->hints, start);
	for (uint32_t slot; (slot = pinreg_hints_next(&found));) {
		struct pinreg_region *region = &cache->slots.regions[slot];
		pinreg_holds_up(cache->holds, slot);
		if (fits(region, wanted, start, end)) {
			pinreg_holds_hit(cache->holds);
			return region;
		}
		let_go(cache, region, slot);
	}
	return NULL;
}

struct search {
	const struct pinreg_cache *cache;
	const struct pinreg_want *want;
};

static bool slot_fits(void *context, uint32_t slot)
{
	const struct search *search = context;
	return fits(&search->cache->slots.regions[slot], state_wanted(search->want->access),
		    search->want->start, search->want->end);
}

uint32_t pinreg_cache_find(struct pinreg_cache *cache, const struct pinreg_want *want)
{
	struct search search = { cache, want };
	uint32_t slot =
		pinreg_index_containing(&cache->index, want->start, want->end, slot_fits, &search);
	if (slot) {
		pinreg_holds_up(cache->holds, slot);
		pinreg_hints_set(&cache->hints, want->start, slot, cache->lru.count);
	}
	return slot;
}

/* Whatever comes: all of pinreg_cache_get() but the keys. */
static __attribute__((noinline)) int get_carefully(struct pinreg_cache *cache, uint64_t start,
						   uint64_t end, unsigned int access,
						   struct pinreg_why *why,
						   struct pinreg_region **out)
{
	if (!cache || !out || (access & ~PINREG_SLOT_ACCESS_MASK))
		return pinreg_why_set(why, PINREG_REASON_BAD_OPTION, -EINVAL);
	if (pinreg_device_inherited(cache->device))
		return pinreg_why_set(why, PINREG_REASON_FORKED, -EPERM);
	if (!start || end <= start)
		return pinreg_why_set(why, PINREG_REASON_BAD_RANGE, -EINVAL);
	struct pinreg_region *region = is_settled(cache) ? look(cache, start, end, access) : NULL;
	struct pinreg_want want = { start, end, access };
	if (!region)
		return pinreg_cache_miss(cache, &want, why, out);
	*out = region;
	return 0;
}

/* Another region than the first that a hint led to. */
static __attribute__((noinline)) int get_another(struct pinreg_cache *cache, uint64_t start,
						 uint64_t end, uint64_t slot_and_access,
						 struct pinreg_why *why, struct pinreg_region **out)
{
	uint32_t slot = (uint32_t)(slot_and_access >> 32);
	let_go(cache, &cache->slots.regions[slot], slot);
	return get_carefully(cache, start, end, (unsigned int)slot_and_access, why, out);
}

/*
 * The common case, of which every call is left to the end, with no more arguments than
 * there are registers: so nothing has to be saved. What is checked here is what would
 * lead astray; get_carefully() says what was wrong.
 */
static inline __attribute__((always_inline)) int get(struct pinreg_cache *cache, uint64_t start,
						     uint64_t end, unsigned int access,
						     struct pinreg_why *why,
						     struct pinreg_region **out)
{
	access = access ? access : DEFAULT_ACCESS;
	if (!cache || !out || cache->epoch != pinreg_fork_epoch || end <= start ||
	    access > PINREG_SLOT_ACCESS_MASK ||
	    atomic_load_explicit(&cache->care, memory_order_acquire))
		return get_carefully(cache, start, end, access, why, out);
	uint32_t slot = pinreg_hints_first(&cache->hints, start);
	struct pinreg_holds_row *row = pinreg_holds_own(cache->holds);
	if (!slot || !row)
		return get_carefully(cache, start, end, access, why, out);
	struct pinreg_region *region = &cache->slots.regions[slot];
	pinreg_holds_up_in(row, slot);
	if (!fits(region, state_wanted(access), start, end))
		return get_another(cache, start, end, (uint64_t)slot << 32 | access, why, out);
	pinreg_holds_hit_in(row);
	*out = region;
	return 0;
}

/* The keys too. */
static __attribute__((noinline)) int get_with_keys(struct pinreg_cache *cache, uint64_t start,
						   uint64_t end, unsigned int access,
						   struct pinreg_keys *keys, struct pinreg_why *why,
						   struct pinreg_region **out)
{
	struct pinreg_region *region;
	if (!out || (keys->size != sizeof(*keys) &&
		     pinreg_info_check(keys, offsetof(struct pinreg_keys, generation))))
		return pinreg_why_set(why, PINREG_REASON_BAD_OPTION, -EINVAL);
	int status = get(cache, start, end, access, why, &region);
	if (status)
		return status;
	if (keys->size == sizeof(*keys)) {
		/* each where it belongs: a copy would wait for its halves to be written */
		uint64_t both = atomic_load(&region->keys);
		keys->lkey = (uint32_t)(both >> 32);
		keys->rkey = (uint32_t)both;
		keys->addr = region->addr;
		keys->length = region->length;
		keys->generation = atomic_load(&region->generation);
	} else {
		struct pinreg_keys now = pinreg_region_published(region);
		pinreg_info_write(keys, &now, sizeof(now));
	}
	*out = region;
	return 0;
}

int pinreg_cache_get(struct pinreg_cache *cache, void *addr, size_t length, unsigned int access,
		     struct pinreg_keys *keys, struct pinreg_why *why, struct pinreg_region **out)
{
	uint64_t start = (uintptr_t)addr, end = start + length;
	if (keys)
		return get_with_keys(cache, start, end, access, keys, why, out);
	return get(cache, start, end, access, why, out);
}

/* For the LRU. While it is held, so that it is not the slot's next region. */
static inline void mark_used(const struct pinreg_cache *cache, struct pinreg_region *region)
{
	uint32_t now = atomic_load_explicit(&cache->now, memory_order_relaxed);
	if (atomic_load_explicit(&region->stamp, memory_order_relaxed) != now)
		atomic_store_explicit(&region->stamp, now, memory_order_relaxed);
}

/* Whatever comes. */
static __attribute__((noinline)) int put_carefully(struct pinreg_cache *cache,
						   struct pinreg_region *region)
{
	if (!cache)
		return -EINVAL;
	if (!region)
		return 0;
	if (pinreg_device_inherited(cache->device))
		return -EPERM;
	if (!region->number)
		return pinreg_cache_end_single(cache, region);
	mark_used(cache, region);
	let_go(cache, region, region->number);
	return 0;
}

static __attribute__((noinline)) int put_the_last(struct pinreg_cache *cache, uint32_t slot)
{
	pinreg_cache_leave(cache, slot);
	return 0;
}

int pinreg_cache_put(struct pinreg_cache *cache, struct pinreg_region *region)
{
	struct pinreg_holds_row *row = cache ? pinreg_holds_own(cache->holds) : NULL;
	if (!row || !region || cache->epoch != pinreg_fork_epoch || !region->number)
		return put_carefully(cache, region);
	uint32_t slot = region->number;
	mark_used(cache, region);
	pinreg_holds_down_in(row, slot);
	if (atomic_load_explicit(&region->state, memory_order_acquire) & PINREG_SLOT_LEAVING)
		return put_the_last(cache, slot);
	return 0;
}
