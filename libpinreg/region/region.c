/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * region.c -- making, asking and ending one registration.
 */
#include "region/region.h"

#include <errno.h>
#include <stdlib.h>

#include "base/opts.h"
#include "base/why.h"
#include "plan/planner.h"

void pinreg_region_publish(struct pinreg_whole_region *region)
{
	struct pinreg_region *core = &region->core;
	const struct ibv_mr *mr = pinreg_region_is_live(region) ? core->mr : NULL;
	uint64_t keys = 0;
	if (mr)
		keys = (uint64_t)mr->lkey << 32 |
		       (region->own.decision.window_access ? 0 : mr->rkey);
	atomic_store(&core->keys, keys);
	atomic_store(&core->generation, mr ? region->own.set->generation : 0);
}

static void link_into_set(struct pinreg_whole_region *region, struct ibv_mr *mr)
{
	struct pinreg_region_set *set = region->own.set;
	pthread_mutex_lock(&set->lock);
	region->core.mr = mr;
	region->core.addr = pinreg_region_iova(region);
	region->core.length = region->own.decision.plan.length;
	region->inside = set->inside;
	pinreg_region_publish(region);
	region->next = set->first;
	region->link = &set->first;
	if (region->next)
		region->next->link = &region->next;
	set->first = region;
	set->count++;
	pthread_mutex_unlock(&set->lock);
}

void pinreg_region_unlink(struct pinreg_whole_region *region)
{
	*region->link = region->next;
	if (region->next)
		region->next->link = region->link;
}

/* Registered and linked, or -errno with *why. */
static int carry_out(struct pinreg_whole_region *region, struct pinreg_why *why)
{
	struct pinreg_region_set *set = region->own.set;
	struct ibv_mr *mr = NULL;
	int status = pinreg_region_warm(region, why);
	if (status)
		return status;
	/* again: touching the memory may have taken long */
	status = pinreg_set_enter_to_add(set);
	if (status)
		return pinreg_why_set(why, PINREG_REASON_FENCED, status);
	struct pinreg_stop stop = pinreg_set_stop(set);
	status = pinreg_set_count_inside(set, region->own.device->cpus);
	if (status)
		pinreg_why_call(why, PINREG_REASON_VERBS, "aligned_alloc", status);
	else
		status = pinreg_region_attach(region, &stop, &mr, why);
	if (!status)
		link_into_set(region, mr);
	pinreg_set_leave(set);
	return status;
}

/* 0 and *out, or -errno with *why. */
static int new_region(const struct pinreg_region_place *place, struct pinreg_why *why,
		      struct pinreg_whole_region **out)
{
	const struct pinreg_sys *sys = place->device->sys;
	struct pinreg_whole_region *region = calloc(1, sizeof(*region));
	if (!region)
		return pinreg_why_call(why, PINREG_REASON_VERBS, "calloc", -ENOMEM);
	struct pinreg_region_facts *own = &region->own;
	int status = sys->random(&own->random, sizeof(own->random));
	if (status) {
		free(region);
		return pinreg_why_call(why, PINREG_REASON_VERBS, "getrandom", status);
	}
	own->random += !own->random;
	own->page_size = sys->page_size();
	own->device = place->device;
	own->set = place->set;
	region->core.facts = own;
	region->persist = place->persist;
	region->dmabuf = -1;
	*out = region;
	return 0;
}

void pinreg_region_free(struct pinreg_whole_region *region)
{
	if (region->dmabuf >= 0)
		region->own.device->sys->file_close(region->dmabuf);
	pinreg_shadow_free(region->own.device, region->shadow);
	free(region);
}

/* The plan is made: do it. Frees the region on failure. */
static int finish(struct pinreg_whole_region *region, struct pinreg_why *why,
		  struct pinreg_region **out)
{
	const struct pinreg_decision *decision = &region->own.decision;
	const struct pinreg_plan *plan = &decision->plan;
	int status = plan->method == PINREG_METHOD_REFUSE ? plan->why.error : 0;
	if (why)
		*why = plan->why;
	/* windows are for what can be fenced */
	if (!status && decision->window_access && !region->own.set->wake)
		status = pinreg_why_set(why, PINREG_REASON_BAD_OPTION, -EINVAL);
	if (!status)
		status = carry_out(region, why);
	if (status)
		pinreg_region_free(region);
	else
		*out = &region->core;
	return status;
}

int pinreg_region_make(const struct pinreg_region_place *place, void *addr, uint64_t length,
		       const struct pinreg_region_opts *opts, struct pinreg_why *why,
		       struct pinreg_region **out)
{
	struct pinreg_whole_region *region;
	int status = new_region(place, why, &region);
	if (status)
		return status;
	status = pinreg_planner_plan(place->device, place->st_dev, addr, length, opts,
				     &region->own.decision);
	if (!status)
		return finish(region, why, out);
	pinreg_region_free(region);
	return pinreg_why_call(why, PINREG_REASON_VERBS, "reading the memory map", status);
}

int pinreg_region_make_dmabuf(const struct pinreg_region_place *place, int fd, uint64_t offset,
			      uint64_t length, const struct pinreg_region_opts *opts,
			      struct pinreg_why *why, struct pinreg_region **out)
{
	struct pinreg_whole_region *region;
	int status = new_region(place, why, &region);
	if (status)
		return status;
	pinreg_region_plan_dmabuf(region, fd, offset, length, opts);
	return finish(region, why, out);
}

int pinreg_region_deregister(struct pinreg_region *region)
{
	if (!region)
		return 0;
	if (pinreg_device_inherited(region->facts->device))
		return -EPERM;
	struct pinreg_whole_region *whole = pinreg_region_whole(region);
	if (!whole)
		return -EINVAL;
	struct pinreg_region_set *set = whole->own.set;
	pthread_mutex_lock(&set->lock);
	while (set->restoring == whole)
		pthread_cond_wait(&set->changed, &set->lock);
	int status = whole->windows ? -EBUSY : 0;
	if (!status && region->mr)
		status = pinreg_region_detach(region);
	if (!status) {
		pinreg_region_unlink(whole);
		set->count--;
	}
	pthread_mutex_unlock(&set->lock);
	if (!status)
		pinreg_region_free(whole);
	return status;
}

int pinreg_region_keys(struct pinreg_region *region, struct pinreg_keys *out)
{
	if (!region || pinreg_info_check(out, offsetof(struct pinreg_keys, generation)))
		return -EINVAL;
	if (pinreg_device_inherited(region->facts->device))
		return -EPERM;
	struct pinreg_region_set *set = region->facts->set;
	struct pinreg_keys keys = { 0 };
	int status = 0;
	pthread_mutex_lock(&set->lock);
	if (set->state <= PINREG_SET_DRAINING) {
		keys = pinreg_region_published(region);
		status = keys.generation ? 0 : -ESTALE;
	} else {
		status = set->state == PINREG_SET_LOST ? -ESTALE : -EAGAIN;
	}
	pthread_mutex_unlock(&set->lock);
	if (!status)
		pinreg_info_write(out, &keys, sizeof(keys));
	return status;
}

/* What the facts of many say of the amount of memory is of another of them. */
static struct pinreg_why why_of(const struct pinreg_region *region)
{
	struct pinreg_why why = region->facts->decision.plan.why;
	if (region->number) {
		why.addr = region->addr;
		why.length = region->length;
		if (why.wanted)
			why.wanted = pinreg_region_pages(region);
	}
	return why;
}

int pinreg_region_query(struct pinreg_region *region, struct pinreg_region_info *out)
{
	if (!region || pinreg_info_check(out, offsetof(struct pinreg_region_info, live)))
		return -EINVAL;
	if (pinreg_device_inherited(region->facts->device))
		return -EPERM;
	const struct pinreg_whole_region *whole = pinreg_region_whole(region);
	const struct pinreg_plan *plan = &region->facts->decision.plan;
	struct pinreg_region_set *set = region->facts->set;
	struct pinreg_region_info info = {
		.method = plan->method,
		.granularity = plan->granularity,
		.access = plan->access,
		.addr = pinreg_region_home(region),
		.length = region->length,
		.why = why_of(region),
	};
	pthread_mutex_lock(&set->lock);
	info.generation = set->generation;
	info.live = set->state <= PINREG_SET_DRAINING && (!whole || pinreg_region_is_live(whole));
	pthread_mutex_unlock(&set->lock);
	pinreg_info_write(out, &info, sizeof(info));
	return 0;
}
