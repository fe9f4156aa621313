/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * moved.c -- a region in 64 bytes: what it shares with others, and what is its own.
 */
#include <errno.h>
#include <string.h>

#include "region/region.h"

const struct pinreg_region_facts *pinreg_region_facts_of(const struct pinreg_region *region)
{
	return region->facts;
}

/* Without what is of one region; no byte of the struct is padding. */
static struct pinreg_why shared_why(const struct pinreg_region_facts *facts)
{
	struct pinreg_why why = facts->decision.plan.why;
	why.addr = why.length = 0;
	why.wanted = why.used = why.limit = 0;
	return why;
}

bool pinreg_facts_agree(const struct pinreg_region_facts *a, const struct pinreg_region_facts *b)
{
	const struct pinreg_plan *one = &a->decision.plan, *other = &b->decision.plan;
	if (a->set != b->set || a->device != b->device || a->page_size != b->page_size ||
	    a->decision.has_file != b->decision.has_file)
		return false;
	if (one->method != other->method || one->access != other->access ||
	    one->granularity != other->granularity)
		return false;
	struct pinreg_why why = shared_why(a), other_why = shared_why(b);
	return !memcmp(&why, &other_why, sizeof(why));
}

void pinreg_region_move(struct pinreg_region *made, const struct pinreg_region_facts *facts,
			struct pinreg_region *slot)
{
	struct pinreg_whole_region *whole = pinreg_region_whole(made);
	struct pinreg_region_set *set = facts->set;
	slot->facts = facts;
	slot->mr = made->mr;
	/* who is late looks at what was here before */
	__atomic_store_n(&slot->addr, made->addr, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->length, made->length, __ATOMIC_RELAXED);
	atomic_store_explicit(&slot->keys, atomic_load(&made->keys), memory_order_relaxed);
	atomic_store_explicit(&slot->generation, atomic_load(&made->generation),
			      memory_order_relaxed);
	pthread_mutex_lock(&set->lock);
	pinreg_region_unlink(whole);
	pthread_mutex_unlock(&set->lock);
	pinreg_region_free(whole);
}

int pinreg_region_fill(const struct pinreg_region_facts *facts, uint64_t addr, uint64_t length,
		       struct pinreg_region *slot)
{
	struct pinreg_device *device = facts->device;
	struct pinreg_region_set *set = facts->set;
	struct pinreg_region what = { .facts = facts, .addr = addr, .length = length };
	uint64_t pages = pinreg_region_pages(&what);
	struct ibv_mr *mr;
	if (length > device->max_mr_size)
		return -E2BIG;
	int status = pinreg_device_pin(device, pages);
	if (status)
		return status;
	status = device->sys->mr_register(device->pd, (void *)(uintptr_t)addr, length, addr,
					  facts->decision.plan.access, &mr);
	if (status) {
		pinreg_device_unpin(device, pages);
		return status;
	}
	pthread_mutex_lock(&set->lock);
	set->count++;
	uint64_t generation = set->generation;
	pthread_mutex_unlock(&set->lock);
	slot->facts = facts;
	slot->mr = mr;
	__atomic_store_n(&slot->addr, addr, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->length, length, __ATOMIC_RELAXED);
	atomic_store_explicit(&slot->keys, (uint64_t)mr->lkey << 32 | mr->rkey,
			      memory_order_relaxed);
	atomic_store_explicit(&slot->generation, generation, memory_order_relaxed);
	return 0;
}

int pinreg_region_end(struct pinreg_region *slot)
{
	struct pinreg_region_set *set = slot->facts->set;
	/* not under the lock: nobody fences it, and the verb may free memory */
	int status = pinreg_region_detach(slot);
	if (status)
		return status;
	pthread_mutex_lock(&set->lock);
	set->count--;
	pthread_mutex_unlock(&set->lock);
	return 0;
}

uint64_t pinreg_region_pages(const struct pinreg_region *region)
{
	uint64_t page = region->facts->page_size;
	uint64_t first = region->addr / page;
	uint64_t last = (region->addr + region->length - 1) / page;
	return (last - first + 1) * page;
}

/* Another iova, and a shadow, are at the memory's place in the page: as many pages. */
uint64_t pinreg_region_pinned(const struct pinreg_region *region)
{
	enum pinreg_method method = region->facts->decision.plan.method;
	bool pins = method == PINREG_METHOD_PIN || method == PINREG_METHOD_STAGED;
	return pins ? pinreg_region_pages(region) : 0;
}

/* Different numbers give different results (the end of splitmix64). */
static uint64_t mixed(uint64_t number)
{
	number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9;
	number = (number ^ number >> 27) * 0x94d049bb133111eb;
	return number ^ number >> 31;
}

/* A slot has one region after the other: only with the state's half is it one of them. */
uint64_t pinreg_region_id(const struct pinreg_region *region)
{
	uint64_t random = region->facts->random;
	if (!region->number)
		return random;
	uint64_t life = atomic_load(&region->state) >> 32;
	uint64_t id = random ^ mixed((uint64_t)region->number << 32 | life);
	return id + !id;
}
