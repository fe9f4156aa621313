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

int pinreg_region_attach(struct pinreg_region *region, struct pinreg_why *why)
{
	const struct pinreg_plan *plan = &region->plan;
	const struct pinreg_sys *sys = region->device->sys;
	int status = sys->mr_register(region->device->pd, (void *)(uintptr_t)plan->addr,
				      plan->length, plan->access, &region->mr);
	if (!status)
		return 0;

	pinreg_why_call(why, PINREG_REASON_VERBS, "ibv_reg_mr", status);
	if (why) {
		why->addr = plan->addr;
		why->length = plan->length;
	}
	return status;
}

int pinreg_region_detach(struct pinreg_region *region)
{
	int status = region->device->sys->mr_deregister(region->mr);
	if (!status)
		region->mr = NULL;
	return status;
}

static void link_into_set(struct pinreg_region *region)
{
	struct pinreg_region_set *set = region->set;
	pthread_mutex_lock(&set->lock);
	region->next = set->first;
	region->link = &set->first;
	if (region->next)
		region->next->link = &region->next;
	set->first = region;
	set->count++;
	pthread_mutex_unlock(&set->lock);
}

/* under set->lock */
static void unlink_from_set(struct pinreg_region *region)
{
	*region->link = region->next;
	if (region->next)
		region->next->link = region->link;
	region->set->count--;
}

/* Registered and linked, or -errno with *why. */
static int carry_out(struct pinreg_region *region, struct pinreg_why *why)
{
	int status = pinreg_set_enter(region->set);
	if (status)
		return pinreg_why_set(why, PINREG_REASON_FENCED, status);
	status = pinreg_region_attach(region, why);
	if (!status)
		link_into_set(region);
	pinreg_set_leave(region->set);
	return status;
}

int pinreg_region_make(const struct pinreg_region_place *place, void *addr, uint64_t length,
		       const struct pinreg_region_opts *opts, struct pinreg_why *why,
		       struct pinreg_region **out)
{
	struct pinreg_region *region = calloc(1, sizeof(*region));
	if (!region)
		return pinreg_why_call(why, PINREG_REASON_VERBS, "calloc", -ENOMEM);
	region->device = place->device;
	region->set = place->set;
	region->persist = place->persist;
	region->plan.size = sizeof(region->plan);

	int status = pinreg_planner_plan(place->device, place->st_dev, addr, length, opts,
					 &region->plan);
	if (status)
		pinreg_why_call(why, PINREG_REASON_VERBS, "looking at the memory", status);
	else if (region->plan.method == PINREG_METHOD_REFUSE) {
		status = region->plan.why.error;
		if (why)
			*why = region->plan.why;
	} else {
		status = carry_out(region, why);
	}
	if (status) {
		free(region);
		return status;
	}
	if (why)
		*why = region->plan.why;
	*out = region;
	return 0;
}

int pinreg_region_deregister(struct pinreg_region *region)
{
	if (!region)
		return 0;
	struct pinreg_region_set *set = region->set;
	pthread_mutex_lock(&set->lock);
	int status = region->mr ? pinreg_region_detach(region) : 0;
	if (!status)
		unlink_from_set(region);
	pthread_mutex_unlock(&set->lock);
	if (!status)
		free(region);
	return status;
}

int pinreg_region_keys(struct pinreg_region *region, struct pinreg_keys *out)
{
	if (!region || pinreg_info_check(out, offsetof(struct pinreg_keys, generation)))
		return -EINVAL;
	struct pinreg_region_set *set = region->set;
	struct pinreg_keys keys = { .size = sizeof(keys) };
	int status = 0;
	pthread_mutex_lock(&set->lock);
	if (set->state == PINREG_SET_LIVE) {
		keys.lkey = region->mr->lkey;
		keys.rkey = region->mr->rkey;
		keys.generation = set->generation;
	} else {
		status = set->state == PINREG_SET_LOST ? -ESTALE : -EAGAIN;
	}
	pthread_mutex_unlock(&set->lock);
	if (status)
		return status;
	keys.addr = region->plan.addr;
	keys.length = region->plan.length;
	pinreg_info_write(out, &keys, sizeof(keys));
	return 0;
}

int pinreg_region_query(struct pinreg_region *region, struct pinreg_region_info *out)
{
	if (!region || pinreg_info_check(out, offsetof(struct pinreg_region_info, live)))
		return -EINVAL;
	struct pinreg_region_info info = {
		.method = region->plan.method,
		.granularity = region->plan.granularity,
		.access = region->plan.access,
		.addr = region->plan.addr,
		.length = region->plan.length,
		.why = region->plan.why,
	};
	pthread_mutex_lock(&region->set->lock);
	info.generation = region->set->generation;
	info.live = region->set->state == PINREG_SET_LIVE;
	pthread_mutex_unlock(&region->set->lock);
	pinreg_info_write(out, &info, sizeof(info));
	return 0;
}

int pinreg_region_commit(struct pinreg_region *region, uint64_t offset, uint64_t length)
{
	if (!region || offset > region->plan.length || length > region->plan.length - offset)
		return -EINVAL;
	int status = pinreg_set_enter(region->set);
	if (status)
		return status;
	if (region->persist && length)
		status = region->device->sys->persist_range(
			region->persist, (char *)(uintptr_t)region->plan.addr + offset, length);
	pinreg_set_leave(region->set);
	return status;
}
