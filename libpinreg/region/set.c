/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * set.c -- fencing and restoring regions together.
 */
#include "region/set.h"

#include <errno.h>

#include "region/region.h"

void pinreg_set_init(struct pinreg_region_set *set)
{
	*set = (struct pinreg_region_set){ .generation = 1 };
	pthread_mutex_init(&set->lock, NULL);
	pthread_cond_init(&set->idle, NULL);
}

void pinreg_set_destroy(struct pinreg_region_set *set)
{
	pthread_cond_destroy(&set->idle);
	pthread_mutex_destroy(&set->lock);
}

int pinreg_set_enter(struct pinreg_region_set *set)
{
	int status = 0;
	pthread_mutex_lock(&set->lock);
	if (set->state == PINREG_SET_LIVE)
		set->users++;
	else
		status = set->state == PINREG_SET_LOST ? -ESTALE : -EAGAIN;
	pthread_mutex_unlock(&set->lock);
	return status;
}

void pinreg_set_leave(struct pinreg_region_set *set)
{
	pthread_mutex_lock(&set->lock);
	if (--set->users == 0)
		pthread_cond_broadcast(&set->idle);
	pthread_mutex_unlock(&set->lock);
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

/* under lock: detach all; the first error */
static int detach_all(struct pinreg_region_set *set)
{
	int status = 0;
	for (struct pinreg_region *region = set->first; region; region = region->next) {
		int one = region->mr ? pinreg_region_detach(region) : 0;
		if (one && !status)
			status = one;
	}
	return status;
}

int pinreg_set_fence(struct pinreg_region_set *set)
{
	pthread_mutex_lock(&set->lock);
	set->state = PINREG_SET_FENCED;
	while (set->users)
		pthread_cond_wait(&set->idle, &set->lock);
	int status = detach_all(set);
	pthread_mutex_unlock(&set->lock);
	return status;
}

int pinreg_set_restore(struct pinreg_region_set *set, struct pinreg_why *why)
{
	int status = 0;
	pthread_mutex_lock(&set->lock);
	for (struct pinreg_region *region = set->first; region && !status; region = region->next)
		if (!region->mr)
			status = pinreg_region_attach(region, why);
	if (status) {
		detach_all(set);
	} else {
		set->state = PINREG_SET_LIVE;
		set->generation++;
	}
	pthread_mutex_unlock(&set->lock);
	return status;
}

void pinreg_set_lose(struct pinreg_region_set *set)
{
	pthread_mutex_lock(&set->lock);
	set->state = PINREG_SET_LOST;
	pthread_mutex_unlock(&set->lock);
}
