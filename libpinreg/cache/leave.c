/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * leave.c -- how the slots of a cache end: see cache.h.
 */
#include "cache/cache.h"
#include "cache/pending.h"

static uint64_t state_of(const struct pinreg_cache *cache, uint32_t slot)
{
	return atomic_load_explicit(&cache->slots.regions[slot].state, memory_order_relaxed);
}

static void set_state(struct pinreg_cache *cache, uint32_t slot, uint64_t state)
{
	atomic_store_explicit(&cache->slots.regions[slot].state, state, memory_order_seq_cst);
}

static void push(struct pinreg_cache *cache, uint32_t *list, uint32_t slot)
{
	cache->slots.links[slot].left = *list;
	*list = slot;
}

static uint32_t pop(struct pinreg_cache *cache, uint32_t *list)
{
	uint32_t slot = *list;
	if (slot)
		*list = cache->slots.links[slot].left;
	return slot;
}

void pinreg_cache_spoil(struct pinreg_cache *cache, uint32_t slot)
{
	set_state(cache, slot, state_of(cache, slot) | PINREG_SLOT_LEAVING);
	push(cache, &cache->leaving, slot);
}

void pinreg_cache_retire(struct pinreg_cache *cache, uint32_t slot)
{
	pinreg_index_remove(&cache->index, slot);
	pinreg_lru_remove(&cache->lru, slot);
	pinreg_hints_drop(&cache->hints, cache->slots.regions[slot].addr, slot);
	set_state(cache, slot, (state_of(cache, slot) & ~PINREG_SLOT_LIVE) | PINREG_SLOT_LEAVING);
	push(cache, &cache->leaving, slot);
}

static void bury(struct pinreg_cache *cache, uint32_t slot)
{
	set_state(cache, slot, state_of(cache, slot) & ~PINREG_SLOT_LEAVING);
	push(cache, &cache->dead, slot);
}

void pinreg_cache_settle(struct pinreg_cache *cache)
{
	/* without a barrier they have to be taken for held, and the next one tries again */
	if (!cache->leaving || pinreg_holds_barrier(cache->holds))
		return;
	for (uint32_t slot; (slot = pop(cache, &cache->leaving));)
		if (!pinreg_holds_any(cache->holds, slot))
			bury(cache, slot);
}

static bool is_listed(const struct pinreg_cache *cache, uint32_t list, uint32_t slot)
{
	while (list && list != slot)
		list = cache->slots.links[list].left;
	return list;
}

void pinreg_cache_leave(struct pinreg_cache *cache, uint32_t slot)
{
	pthread_mutex_lock(&cache->lock);
	pinreg_cache_settle(cache);
	if (state_of(cache, slot) & PINREG_SLOT_LEAVING) {
		/* without a barrier nobody knows: the next one to settle finds it */
		if (cache->leaving && !is_listed(cache, cache->leaving, slot))
			push(cache, &cache->leaving, slot);
		else if (!cache->leaving && !pinreg_holds_any(cache->holds, slot))
			bury(cache, slot);
	}
	pinreg_cache_reap(cache);
	pthread_mutex_unlock(&cache->lock);
}

uint64_t pinreg_cache_evict(struct pinreg_cache *cache, uint64_t most)
{
	/* a new time: what is recorded by it was found in use in this very call */
	uint32_t now = atomic_fetch_add(&cache->now, 1) + 1, slot;
	uint64_t evicted = 0;
	while (evicted < most && (slot = pinreg_lru_oldest(&cache->lru))) {
		if (!pinreg_holds_any_guess(cache->holds, slot)) {
			pinreg_cache_retire(cache, slot);
			evicted++;
		} else if (cache->slots.links[slot].recorded != now) {
			pinreg_lru_touch(&cache->lru, slot, now);
		} else {
			break; /* as is all that is left */
		}
	}
	pinreg_cache_settle(cache);
	cache->evictions += evicted;
	return evicted;
}

uint64_t pinreg_cache_retire_range(struct pinreg_cache *cache, uint64_t start, uint64_t end)
{
	uint64_t retired = 0;
	pinreg_known_forget(&cache->known, start, end);
	cache->told++;
	for (struct pinreg_pending *one = cache->pending; one; one = one->next)
		one->spoiled |= one->start < end && start < one->end;
	for (uint32_t slot; (slot = pinreg_index_touching(&cache->index, start, end, 0)); retired++)
		pinreg_cache_retire(cache, slot);
	pinreg_cache_settle(cache);
	cache->invalidations += retired;
	return retired;
}

static void begin_ending(struct pinreg_cache *cache, struct pinreg_ending *ending)
{
	ending->number = ++cache->begun;
	ending->next = cache->endings;
	ending->link = &cache->endings;
	if (ending->next)
		ending->next->link = &ending->next;
	cache->endings = ending;
}

static void end_ending(struct pinreg_cache *cache, struct pinreg_ending *ending)
{
	*ending->link = ending->next;
	if (ending->next)
		ending->next->link = ending->link;
	pthread_cond_broadcast(&cache->settled);
}

int pinreg_cache_reap(struct pinreg_cache *cache)
{
	uint32_t failed = 0;
	int first = 0;
	for (uint32_t slot; (slot = pop(cache, &cache->dead));) {
		struct pinreg_region *region = &cache->slots.regions[slot];
		uint64_t length = region->length, pinned = pinreg_region_pinned(region);
		struct pinreg_ending ending;
		begin_ending(cache, &ending);
		pthread_mutex_unlock(&cache->lock);
		int status = pinreg_region_end(region);
		pthread_mutex_lock(&cache->lock);
		end_ending(cache, &ending);
		if (status) {
			first = first ? first : status;
			push(cache, &failed, slot);
			continue;
		}
		cache->ended++;
		cache->count--;
		cache->bytes -= length;
		cache->pinned -= pinned;
		pinreg_slots_release(&cache->slots, slot);
	}
	/* they are tried again when the next one leaves */
	for (uint32_t slot; (slot = pop(cache, &failed));)
		push(cache, &cache->dead, slot);
	return first;
}

bool pinreg_cache_others_end(struct pinreg_cache *cache, uint64_t *since)
{
	while (cache->endings && cache->ended == *since)
		pthread_cond_wait(&cache->settled, &cache->lock);
	bool some = cache->ended != *since;
	*since = cache->ended;
	return some;
}

/* The first one listed is the last that began. */
static bool any_before(const struct pinreg_cache *cache, uint64_t number)
{
	const struct pinreg_ending *one = cache->endings;
	while (one && one->number > number)
		one = one->next;
	return one;
}

void pinreg_cache_endings_wait(struct pinreg_cache *cache)
{
	uint64_t last = cache->begun;
	while (any_before(cache, last))
		pthread_cond_wait(&cache->settled, &cache->lock);
}

void *pinreg_cache_reaper(void *context)
{
	struct pinreg_cache *cache = context;
	pthread_mutex_lock(&cache->lock);
	for (;;) {
		while (!cache->dying && !cache->stop)
			pthread_cond_wait(&cache->died, &cache->lock);
		if (cache->stop)
			break;
		cache->dying = false;
		pinreg_cache_reap(cache);
	}
	pthread_mutex_unlock(&cache->lock);
	return NULL;
}
