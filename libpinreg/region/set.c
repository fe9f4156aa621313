/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * set.c -- fencing and restoring regions together.
 */
#include "region/set.h"

#include <errno.h>

#include "base/why.h"
#include "region/inside.h"
#include "region/region.h"

void pinreg_set_init(struct pinreg_region_set *set, pinreg_set_wake_function *wake,
		     struct pinreg_file *file)
{
	*set = (struct pinreg_region_set){
		.generation = 1,
		.end = UINT64_MAX,
		.wake = wake,
		.file = file,
	};
	pthread_mutex_init(&set->lock, NULL);
	pthread_cond_init(&set->changed, NULL);
}

void pinreg_set_destroy(struct pinreg_region_set *set)
{
	pinreg_inside_free(set->inside);
	pthread_cond_destroy(&set->changed);
	pthread_mutex_destroy(&set->lock);
}

/* under lock: the gate is open while the keys are given out */
static void enter_state(struct pinreg_region_set *set, enum pinreg_set_state state)
{
	set->state = state;
	if (!set->inside)
		return;
	if (state == PINREG_SET_LIVE)
		pinreg_inside_open(set->inside);
	else
		pinreg_inside_shut(set->inside);
}

int pinreg_set_count_inside(struct pinreg_region_set *set, unsigned int cpus)
{
	int status = 0;
	pthread_mutex_lock(&set->lock);
	if (set->wake && !set->inside) {
		set->inside = pinreg_inside_make(cpus);
		if (set->inside)
			enter_state(set, set->state);
		else
			status = -ENOMEM;
	}
	pthread_mutex_unlock(&set->lock);
	return status;
}

/* under lock */
static int allowed(const struct pinreg_region_set *set, enum pinreg_set_state last_allowed)
{
	if (set->state <= last_allowed)
		return 0;
	return set->state == PINREG_SET_LOST ? -ESTALE : -EAGAIN;
}

static int enter(struct pinreg_region_set *set, enum pinreg_set_state last_allowed)
{
	pthread_mutex_lock(&set->lock);
	int status = allowed(set, last_allowed);
	if (!status)
		set->users++;
	pthread_mutex_unlock(&set->lock);
	return status;
}

int pinreg_set_enter(struct pinreg_region_set *set)
{
	return enter(set, PINREG_SET_DRAINING);
}

int pinreg_set_enter_to_add(struct pinreg_region_set *set)
{
	return enter(set, PINREG_SET_LIVE);
}

void pinreg_set_leave(struct pinreg_region_set *set)
{
	pthread_mutex_lock(&set->lock);
	bool awaited = !--set->users && set->state > PINREG_SET_DRAINING;
	pthread_mutex_unlock(&set->lock);
	if (awaited)
		set->wake(set->file);
}

bool pinreg_set_is_lost(struct pinreg_region_set *set)
{
	pthread_mutex_lock(&set->lock);
	bool lost = set->state == PINREG_SET_LOST;
	pthread_mutex_unlock(&set->lock);
	return lost;
}

static int fence_asked(void *context, struct pinreg_why *why)
{
	struct pinreg_region_set *set = context;
	pthread_mutex_lock(&set->lock);
	int status = allowed(set, PINREG_SET_DRAINING);
	pthread_mutex_unlock(&set->lock);
	return status ? pinreg_why_set(why, PINREG_REASON_FENCED, status) : 0;
}

struct pinreg_stop pinreg_set_stop(struct pinreg_region_set *set)
{
	return (struct pinreg_stop){ .asked = set->wake ? fence_asked : NULL, .context = set };
}

size_t pinreg_set_count(struct pinreg_region_set *set)
{
	pthread_mutex_lock(&set->lock);
	size_t count = set->count;
	pthread_mutex_unlock(&set->lock);
	return count;
}

uint64_t pinreg_set_generation(struct pinreg_region_set *set)
{
	pthread_mutex_lock(&set->lock);
	uint64_t generation = set->generation;
	pthread_mutex_unlock(&set->lock);
	return generation;
}

static void set_state(struct pinreg_region_set *set, enum pinreg_set_state state)
{
	pthread_mutex_lock(&set->lock);
	enter_state(set, state);
	pthread_mutex_unlock(&set->lock);
}

void pinreg_set_drain(struct pinreg_region_set *set)
{
	set_state(set, PINREG_SET_DRAINING);
}

bool pinreg_set_is_quiet(struct pinreg_region_set *set)
{
	pthread_mutex_lock(&set->lock);
	bool quiet = !set->users;
	if (set->state <= PINREG_SET_DRAINING)
		quiet = !set->inside || pinreg_inside_empty(set->inside);
	pthread_mutex_unlock(&set->lock);
	return quiet;
}

int pinreg_set_fence(struct pinreg_region_set *set)
{
	int status = 0;
	pthread_mutex_lock(&set->lock);
	enter_state(set, PINREG_SET_FENCED);
	for (struct pinreg_whole_region *region = set->first; region; region = region->next) {
		int one = pinreg_region_revoke(region);
		if (one && !status)
			status = one;
	}
	if (!status && set->users)
		status = -EINPROGRESS;
	pthread_mutex_unlock(&set->lock);
	return status;
}

void pinreg_set_limit(struct pinreg_region_set *set, uint64_t end)
{
	pthread_mutex_lock(&set->lock);
	set->end = end;
	pthread_mutex_unlock(&set->lock);
}

static bool reaches_behind(const struct pinreg_whole_region *region, uint64_t end)
{
	const struct pinreg_plan *plan = &region->own.decision.plan;
	return plan->addr + plan->length > end;
}

static struct pinreg_whole_region *take_unregistered(struct pinreg_region_set *set)
{
	pthread_mutex_lock(&set->lock);
	struct pinreg_whole_region *region = set->first;
	while (region && (pinreg_region_is_live(region) || reaches_behind(region, set->end)))
		region = region->next;
	set->restoring = region;
	pthread_mutex_unlock(&set->lock);
	return region;
}

int pinreg_set_restore_one(struct pinreg_region_set *set, const struct pinreg_stop *stop,
			   struct pinreg_why *why)
{
	struct pinreg_whole_region *region = take_unregistered(set);
	if (!region)
		return 0;
	/* nobody else changes it while it is fenced and this one restores it */
	struct ibv_mr *mr = region->core.mr;
	int status = mr ? pinreg_region_refill(region, stop, why)
			: pinreg_region_attach(region, stop, &mr, why);
	pthread_mutex_lock(&set->lock);
	region->core.mr = mr;
	region->stale = mr && status;
	set->restoring = NULL;
	pthread_cond_broadcast(&set->changed);
	pthread_mutex_unlock(&set->lock);
	return status ? status : 1;
}

void pinreg_set_open(struct pinreg_region_set *set)
{
	pthread_mutex_lock(&set->lock);
	set->generation++;
	for (struct pinreg_whole_region *region = set->first; region; region = region->next)
		pinreg_region_publish(region);
	enter_state(set, PINREG_SET_LIVE);
	pthread_mutex_unlock(&set->lock);
}

void pinreg_set_lose(struct pinreg_region_set *set)
{
	set_state(set, PINREG_SET_LOST);
}
