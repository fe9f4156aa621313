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
#include "region/pieces.h"

void pinreg_region_publish(struct pinreg_region *region)
{
	const struct ibv_mr *mr = pinreg_region_is_live(region) ? region->mr : NULL;
	uint64_t keys = 0;
	if (mr)
		keys = (uint64_t)mr->lkey << 32 | (region->decision.window_access ? 0 : mr->rkey);
	atomic_store(&region->keys, keys);
	atomic_store(&region->generation, mr ? region->set->generation : 0);
}

static void link_into_set(struct pinreg_region *region, struct ibv_mr *mr)
{
	struct pinreg_region_set *set = region->set;
	pthread_mutex_lock(&set->lock);
	region->mr = mr;
	region->inside = set->inside;
	region->addr = pinreg_region_iova(region);
	pinreg_region_publish(region);
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
	struct ibv_mr *mr = NULL;
	int status = pinreg_region_warm(region, why);
	if (status)
		return status;
	/* again: touching the memory may have taken long */
	status = pinreg_set_enter_to_add(region->set);
	if (status)
		return pinreg_why_set(why, PINREG_REASON_FENCED, status);
	struct pinreg_stop stop = pinreg_set_stop(region->set);
	status = pinreg_set_count_inside(region->set, region->device->cpus);
	if (status)
		pinreg_why_call(why, PINREG_REASON_VERBS, "aligned_alloc", status);
	else
		status = pinreg_region_attach(region, &stop, &mr, why);
	if (!status)
		link_into_set(region, mr);
	pinreg_set_leave(region->set);
	return status;
}

/* 0 and *out, or -errno with *why. */
static int new_region(const struct pinreg_region_place *place, struct pinreg_why *why,
		      struct pinreg_region **out)
{
	struct pinreg_region *region = calloc(1, sizeof(*region));
	if (!region)
		return pinreg_why_call(why, PINREG_REASON_VERBS, "calloc", -ENOMEM);
	int status = place->device->sys->random(&region->id, sizeof(region->id));
	if (status) {
		free(region);
		return pinreg_why_call(why, PINREG_REASON_VERBS, "getrandom", status);
	}
	region->id += !region->id;
	region->device = place->device;
	region->set = place->set;
	region->persist = place->persist;
	region->dmabuf = -1;
	*out = region;
	return 0;
}

static void free_region(struct pinreg_region *region)
{
	if (region->dmabuf >= 0)
		region->device->sys->file_close(region->dmabuf);
	pinreg_shadow_free(region->device, region->shadow);
	free(region);
}

/* The plan is made: do it. Frees the region on failure. */
static int finish(struct pinreg_region *region, struct pinreg_why *why, struct pinreg_region **out)
{
	const struct pinreg_plan *plan = &region->decision.plan;
	int status = plan->method == PINREG_METHOD_REFUSE ? plan->why.error : 0;
	if (why)
		*why = plan->why;
	/* windows are for what can be fenced */
	if (!status && region->decision.window_access && !region->set->wake)
		status = pinreg_why_set(why, PINREG_REASON_BAD_OPTION, -EINVAL);
	if (!status)
		status = carry_out(region, why);
	if (status)
		free_region(region);
	else
		*out = region;
	return status;
}

int pinreg_region_make(const struct pinreg_region_place *place, void *addr, uint64_t length,
		       const struct pinreg_region_opts *opts, struct pinreg_why *why,
		       struct pinreg_region **out)
{
	struct pinreg_region *region;
	int status = new_region(place, why, &region);
	if (status)
		return status;
	status = pinreg_planner_plan(place->device, place->st_dev, addr, length, opts,
				     &region->decision);
	if (!status)
		return finish(region, why, out);
	free_region(region);
	return pinreg_why_call(why, PINREG_REASON_VERBS, "reading the memory map", status);
}

int pinreg_region_make_dmabuf(const struct pinreg_region_place *place, int fd, uint64_t offset,
			      uint64_t length, const struct pinreg_region_opts *opts,
			      struct pinreg_why *why, struct pinreg_region **out)
{
	struct pinreg_region *region;
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
	if (pinreg_device_inherited(region->device))
		return -EPERM;
	struct pinreg_region_set *set = region->set;
	pthread_mutex_lock(&set->lock);
	while (set->restoring == region)
		pthread_cond_wait(&set->changed, &set->lock);
	int status = region->windows ? -EBUSY : 0;
	if (!status && region->mr)
		status = pinreg_region_detach(region);
	if (!status)
		unlink_from_set(region);
	pthread_mutex_unlock(&set->lock);
	if (!status)
		free_region(region);
	return status;
}

int pinreg_region_keys(struct pinreg_region *region, struct pinreg_keys *out)
{
	if (!region || pinreg_info_check(out, offsetof(struct pinreg_keys, generation)))
		return -EINVAL;
	if (pinreg_device_inherited(region->device))
		return -EPERM;
	struct pinreg_region_set *set = region->set;
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

int pinreg_region_query(struct pinreg_region *region, struct pinreg_region_info *out)
{
	if (!region || pinreg_info_check(out, offsetof(struct pinreg_region_info, live)))
		return -EINVAL;
	if (pinreg_device_inherited(region->device))
		return -EPERM;
	struct pinreg_region_info info = {
		.method = region->decision.plan.method,
		.granularity = region->decision.plan.granularity,
		.access = region->decision.plan.access,
		.addr = region->decision.plan.addr,
		.length = region->decision.plan.length,
		.why = region->decision.plan.why,
	};
	pthread_mutex_lock(&region->set->lock);
	info.generation = region->set->generation;
	info.live = region->set->state <= PINREG_SET_DRAINING && pinreg_region_is_live(region);
	pthread_mutex_unlock(&region->set->lock);
	pinreg_info_write(out, &info, sizeof(info));
	return 0;
}

static bool within(const struct pinreg_region *region, uint64_t offset, uint64_t length)
{
	uint64_t whole = region->decision.plan.length;
	return offset <= whole && length <= whole - offset;
}

/* The memory itself. */
static int make_durable(struct pinreg_region *region, uint64_t offset, uint64_t length)
{
	const struct pinreg_sys *sys = region->device->sys;
	char *addr = (char *)(uintptr_t)region->decision.plan.addr + offset;
	if (region->persist)
		return sys->persist_range(region->persist, addr, length);
	return region->decision.has_file ? sys->sync_mapping(addr, length) : 0;
}

static int commit_piece(void *context, uint64_t offset, uint64_t length, struct pinreg_why *why)
{
	struct pinreg_region *region = context;
	(void)why;
	/* a peer that may not write has put nothing into the shadow */
	if (region->shadow && region->decision.plan.access & IBV_ACCESS_LOCAL_WRITE)
		pinreg_shadow_to_home(region->shadow, offset, length);
	return make_durable(region, offset, length);
}

static int refresh_piece(void *context, uint64_t offset, uint64_t length, struct pinreg_why *why)
{
	struct pinreg_region *region = context;
	(void)why;
	if (region->shadow)
		pinreg_shadow_from_home(region->shadow, offset, length);
	return 0;
}

/*
 * Inside of the set to the end, not in and out with each piece: out there a whole
 * fence and return could pass unseen, which fills the shadow anew.
 */
static int do_inside(struct pinreg_region *region, pinreg_piece_function *one, uint64_t offset,
		     uint64_t length)
{
	if (!region || !within(region, offset, length))
		return -EINVAL;
	if (pinreg_device_inherited(region->device))
		return -EPERM;
	struct pinreg_stop stop = pinreg_set_stop(region->set);
	int status = pinreg_set_enter(region->set);
	if (status)
		return status;
	/* it stays so while we are inside */
	if (!atomic_load(&region->generation))
		status = -ESTALE;
	else
		status = pinreg_pieces_do(one, region, offset, length, &stop, NULL);
	pinreg_set_leave(region->set);
	return status;
}

int pinreg_region_commit(struct pinreg_region *region, uint64_t offset, uint64_t length)
{
	return do_inside(region, commit_piece, offset, length);
}

int pinreg_region_refresh(struct pinreg_region *region, uint64_t offset, uint64_t length)
{
	return do_inside(region, refresh_piece, offset, length);
}
