/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache_model_calls.c -- calls on a cache and on its model, and what has to be the same.
 */
#include <errno.h>
#include <pthread.h>

#include "support/cache_model_list.h"
#include "support/test.h"

#define ALL (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)

struct call {
	struct cache_model *model;
	struct model_hold *hold;
	uint64_t start, end;
	unsigned int access;
	struct pinreg_why why;
	int status;
};

static void *call_get(void *context)
{
	struct call *call = context;
	call->status = pinreg_cache_get(call->model->cache, (void *)(uintptr_t)call->start,
					call->end - call->start, call->access, &call->hold->keys,
					&call->why, &call->hold->handle);
	return NULL;
}

static void *call_put(void *context)
{
	struct call *call = context;
	call->status = pinreg_cache_put(call->model->cache, call->hold->handle);
	return NULL;
}

static int make_call(struct call *call, void *(*function)(void *), bool elsewhere)
{
	pthread_t thread;
	call->model->register_error = call->model->deregister_error = 0;
	call->model->calls++;
	model_wait_long();
	MODEL_FOR_EACH(region, call->model)
	region->was_idle = region->state == MODEL_KEPT && !region->holds;
	if (elsewhere) {
		test_ok(-pthread_create(&thread, NULL, function, call));
		pthread_join(thread, NULL);
	} else {
		function(call);
	}
	return call->status;
}

/* Does the memory allow it? Also where both are wrong. */
static bool memory_gives(const struct call *call, int status)
{
	const struct cache_model *model = call->model;
	uint64_t base = (uintptr_t)model->arena;
	bool hole = false, read_only = false;
	for (uint64_t i = (call->start - base) / TAGGED_PAGE;
	     i <= (call->end - 1 - base) / TAGGED_PAGE; i++) {
		hole |= !model->pages[i].mapped;
		read_only |= model->pages[i].mapped && !model->pages[i].writable;
	}
	read_only &= !!(call->access & ~(unsigned int)IBV_ACCESS_REMOTE_READ);
	if (status == -EFAULT && hole)
		return true;
	if (status == -EACCES && read_only)
		return true;
	return !status && !hole && !read_only;
}

static void check_refusal(const struct call *call)
{
	struct cache_model *model = call->model;
	call->hold->handle = NULL;
	model->expected.misses++;
	model_expect("why->error", (uint64_t)call->why.error, (uint64_t)call->status);
	if (memory_gives(call, 0)) {
		if (call->status != model->register_error)
			fail_msg("get gives %d, the device gave %d", call->status,
				 model->register_error);
	} else if (!memory_gives(call, call->status)) {
		fail_msg("get gives %d of memory that cannot be had", call->status);
	}
	model_refresh(model);
	if (call->status != -ENOMEM)
		return;
	MODEL_FOR_EACH(region, model)
	if (region->state == MODEL_KEPT && !region->holds)
		fail_msg("-ENOMEM, and an idle region was kept");
}

/* The call has made it. */
static void take_up(const struct call *call, struct model_region *made)
{
	struct cache_model *model = call->model;
	struct pinreg_cache_info info = { .size = sizeof(info) };
	if (!memory_gives(call, 0))
		fail_msg("a region of memory that cannot be had");
	test_ok(pinreg_cache_query(model->cache, &info));
	model->expected.misses++;
	model->expected.merges += made->end - made->start > call->end - call->start;
	made->was_idle = false;
	if (info.unkept > model->expected.unkept) {
		model->expected.unkept++;
		made->state = MODEL_SINGLE;
		model_expect("length of what is not kept", made->end - made->start,
			     call->end - call->start);
		return;
	}
	made->state = MODEL_KEPT;
	made->stamp = ++model->now;
	/* those it can stand for are of no more use; what went before it made room */
	MODEL_FOR_EACH(other, model)
	if (other != made && other->state == MODEL_KEPT &&
	    model_covers(made, other->start, other->end, other->access) &&
	    !(other->tried && other->tried_after < made->number))
		other->state = MODEL_LEFT;
}

static void check_region(const struct call *call, const struct model_region *hit)
{
	struct cache_model *model = call->model;
	struct tagged_mr *mr = tagged_find(&call->hold->keys);
	if (!mr)
		fail_msg("the keys are dead");
	struct model_region *region = mr->model;
	tagged_check(&call->hold->keys, (void *)(uintptr_t)call->start, call->end - call->start,
		     call->access);
	if (hit && region->state != MODEL_KEPT)
		fail_msg("no hit, though there is a region");
	if (!hit && region->state != MODEL_NEW)
		fail_msg("a hit of a region that was given up");
	if (hit)
		model->expected.hits++;
	else
		take_up(call, region);
	region->holds++;
	call->hold->region = region;
	/* others were tries, and are gone */
	MODEL_FOR_EACH(other, model)
	if (other->state == MODEL_NEW)
		other->state = MODEL_LEFT;
	model_refresh(model);
}

void cache_model_get(struct cache_model *model, struct model_hold *hold, uint64_t start,
		     uint64_t end, unsigned int access, bool elsewhere)
{
	struct call call = {
		.model = model,
		.hold = hold,
		.start = start,
		.end = end,
		.access = access,
	};
	const struct model_region *hit = model_find_kept(model, start, end, access ? access : ALL);
	hold->keys.size = sizeof(hold->keys);
	int status = make_call(&call, call_get, elsewhere);
	call.access = access ? access : ALL;
	if (status && hit)
		fail_msg("get gives %d, though there is a region", status);
	if (status)
		check_refusal(&call);
	else
		check_region(&call, hit);
}

void cache_model_put(struct cache_model *model, struct model_hold *hold, bool elsewhere)
{
	struct call call = { .model = model, .hold = hold };
	struct model_region *region = hold->region;
	if (!tagged_find(&hold->keys))
		fail_msg("the keys are dead while the region is held");
	region->holds--; /* first: it may be deregistered by the call */
	int status = make_call(&call, call_put, elsewhere);
	if (status) {
		if (region->state != MODEL_SINGLE || status != model->deregister_error)
			fail_msg("put gives %d", status);
		region->holds++;
		return;
	}
	hold->handle = NULL;
	region->stamp = model->now;
	if (!region->holds && region->state == MODEL_SINGLE && !region->gone)
		fail_msg("what is not kept stays registered");
	if (!region->holds && region->state == MODEL_LEFT && !region->tried)
		fail_msg("the last put does not deregister");
	region->was_idle = false;
	model_refresh(model);
}

void cache_model_invalidate(struct cache_model *model, uint64_t start, uint64_t end)
{
	bool all = !start && !end;
	model->deregister_error = 0;
	model_leave_range(model, start, all ? UINT64_MAX : end);
	int status = pinreg_cache_invalidate(model->cache, (void *)(uintptr_t)start, end - start);
	if (status && status != model->deregister_error && !model->deregister_fails)
		fail_msg("invalidate gives %d", status);
	MODEL_FOR_EACH(region, model)
	{
		region->was_idle = false;
		if (!status && region->state == MODEL_LEFT && !region->holds && !region->gone)
			fail_msg("invalidate leaves an idle region registered");
	}
	model_refresh(model);
}

void cache_model_begin_change(struct cache_model *model, unsigned int first, unsigned int count)
{
	uint64_t start = (uintptr_t)model->arena + first * TAGGED_PAGE;
	if (model->opts.monitor == PINREG_MONITOR_MANUAL)
		cache_model_invalidate(model, start, start + count * TAGGED_PAGE);
}

void cache_model_end_change(struct cache_model *model, unsigned int first, unsigned int count)
{
	uint64_t start = (uintptr_t)model->arena + first * TAGGED_PAGE;
	if (model->opts.monitor == PINREG_MONITOR_UFFD)
		model_leave_range(model, start, start + count * TAGGED_PAGE);
	MODEL_FOR_EACH(region, model)
	region->was_idle = false;
}
