/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * window.c -- memory windows on a region, which a fence ends in its place.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/opts.h"
#include "region/window.h"

/* under set->lock */
static int end_key(struct pinreg_window *window)
{
	struct pinreg_device *device = window->region->own.device;
	int status = window->mw ? device->sys->window_end(window->mw) : 0;
	/* the kernel has ended it with the device; a breaker must not wait for ever */
	if (pinreg_device_gone(device, status))
		status = 0;
	if (!status)
		window->mw = NULL;
	return status;
}

int pinreg_region_revoke(struct pinreg_whole_region *region)
{
	int status = 0;
	if (!region->own.decision.window_access)
		return region->core.mr ? pinreg_region_detach(&region->core) : 0;
	region->stale = region->core.mr;
	for (struct pinreg_window *window = region->windows; window; window = window->next) {
		int one = end_key(window);
		if (one && !status)
			status = one;
	}
	return status;
}

/* It was made while the region is held: a fence that comes now finds it. */
static void link_to_region(struct pinreg_window *window)
{
	struct pinreg_whole_region *region = window->region;
	pthread_mutex_lock(&region->own.set->lock);
	window->generation = region->own.set->generation;
	window->next = region->windows;
	window->link = &region->windows;
	if (window->next)
		window->next->link = &window->next;
	region->windows = window;
	pthread_mutex_unlock(&region->own.set->lock);
}

/* ASSUMPTIONS: inside of the set. */
static int make_and_bind(struct pinreg_window *window, struct ibv_qp *qp, uint64_t wr_id)
{
	struct pinreg_whole_region *region = window->region;
	const struct pinreg_sys *sys = region->own.device->sys;
	struct ibv_mw_bind_info info = {
		.mr = region->core.mr,
		.addr = region->core.addr,
		.length = region->core.length,
		.mw_access_flags = window->access,
	};
	if (!atomic_load(&region->core.generation))
		return -ESTALE;
	int status = sys->window_make(region->own.device->pd, &window->mw);
	if (status)
		return status;
	status = sys->window_bind(window->mw, qp, wr_id, &info, &window->rkey);
	if (status)
		sys->window_end(window->mw);
	else
		link_to_region(window);
	return status;
}

/* Who binds is counted as who registers: a fence is not done before he has left. */
static int bind_inside(struct pinreg_window *window, struct ibv_qp *qp, uint64_t wr_id)
{
	struct pinreg_region_set *set = window->region->own.set;
	int status = pinreg_set_enter_to_add(set);
	if (status)
		return status;
	status = make_and_bind(window, qp, wr_id);
	pinreg_set_leave(set);
	return status;
}

int pinreg_window_bind(struct pinreg_region *region, struct ibv_qp *qp,
		       const struct pinreg_window_opts *opts, struct pinreg_window **out)
{
	struct pinreg_window_opts known;
	if (!region || !qp || !out || pinreg_opts_read(opts, &known, sizeof(known)))
		return -EINVAL;
	if (pinreg_device_inherited(region->facts->device))
		return -EPERM;
	/* a moved one has none */
	unsigned int rights = region->facts->decision.window_access;
	if (!rights)
		return -EINVAL;
	if (known.access & ~rights)
		return -EACCES;
	struct pinreg_window *window = calloc(1, sizeof(*window));
	if (!window)
		return -ENOMEM;
	window->region = pinreg_region_whole(region);
	window->access = known.access ? known.access : rights;
	int status = bind_inside(window, qp, known.wr_id);
	if (status) {
		free(window);
		return status;
	}
	*out = window;
	return 0;
}

int pinreg_window_keys(struct pinreg_window *window, struct pinreg_keys *out)
{
	if (!window || pinreg_info_check(out, offsetof(struct pinreg_keys, generation)))
		return -EINVAL;
	struct pinreg_whole_region *region = window->region;
	if (pinreg_device_inherited(region->own.device))
		return -EPERM;
	struct pinreg_keys keys = {
		.size = sizeof(keys),
		.rkey = window->rkey,
		.addr = region->core.addr,
		.length = region->core.length,
		.generation = window->generation,
	};
	pthread_mutex_lock(&region->own.set->lock);
	bool alive = window->mw;
	pthread_mutex_unlock(&region->own.set->lock);
	if (!alive)
		return -ESTALE;
	pinreg_info_write(out, &keys, sizeof(keys));
	return 0;
}

int pinreg_window_close(struct pinreg_window *window)
{
	if (!window)
		return 0;
	struct pinreg_whole_region *region = window->region;
	if (pinreg_device_inherited(region->own.device))
		return -EPERM;
	pthread_mutex_lock(&region->own.set->lock);
	int status = end_key(window);
	if (!status) {
		*window->link = window->next;
		if (window->next)
			window->next->link = window->link;
	}
	pthread_mutex_unlock(&region->own.set->lock);
	if (!status)
		free(window);
	return status;
}
