/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache_model.c -- what a cache must do, by a list that is searched from end to end.
 */
#include "support/cache_model_list.h"

#include <errno.h>
#include <sched.h>

#include "support/arena.h"
#include "support/chance.h"
#include "support/test.h"

#define PATIENCE_NS 20000000000ull

static struct cache_model *current; /* of the device's functions */

/* Time goes on by as much as a cache waits until memory is certainly emptied. */
static _Atomic(uint64_t) ahead_ns;

static uint64_t now_ns(void)
{
	return pinreg_sys_real.now_ns() + ahead_ns;
}

void model_wait_long(void)
{
	ahead_ns += 10000000000;
}

/* ---- what the device tells, also from the cache's own threads ---- */

static int may_register(void *addr, size_t length, unsigned int access)
{
	static const int errors[] = { -ENOMEM, -ENOMEM, -EFAULT, -EINVAL, -EPERM, -EAGAIN };
	(void)addr;
	(void)length;
	(void)access;
	if (!current->register_fails || chance_of(&current->state, current->register_fails))
		return 0;
	int error = errors[chance_of(&current->state, 6)];
	current->register_error = error;
	return error;
}

static void registered(struct tagged_mr *mr)
{
	struct model_region *region = current->regions;
	while (region < current->regions + MODEL_REGIONS && region->state != MODEL_FREE)
		region++;
	assert_true(region < current->regions + MODEL_REGIONS);
	region->state = MODEL_NEW;
	region->start = mr->addr;
	region->end = mr->addr + mr->length;
	region->access = mr->access & ~(unsigned int)IBV_ACCESS_ON_DEMAND;
	region->holds = 0;
	region->number = tagged_device.made;
	region->tried = region->gone = false;
	mr->model = region;
}

static int may_deregister(struct tagged_mr *mr)
{
	static _Atomic(unsigned int) turn;
	struct model_region *region = mr->model;
	int status = 0;
	if (current->deregister_fails && ++turn % current->deregister_fails == 0)
		status = turn % 2 ? -EBUSY : -EIO;
	if (status)
		current->deregister_error = status;
	if (!region->tried)
		region->tried_after = tagged_device.made;
	region->tried = true;
	return status;
}

static void deregistered(struct tagged_mr *mr)
{
	struct model_region *region = mr->model;
	region->gone = true;
}

/* ---- the list ---- */

bool model_covers(const struct model_region *region, uint64_t start, uint64_t end,
		  unsigned int access)
{
	return region->start <= start && end <= region->end && (region->access & access) == access;
}

const struct model_region *model_find_kept(struct cache_model *model, uint64_t start, uint64_t end,
					   unsigned int access)
{
	MODEL_FOR_EACH(region, model)
	if (region->state == MODEL_KEPT && model_covers(region, start, end, access))
		return region;
	return NULL;
}

/* Take up what was deregistered, and what room was made with. */
void model_refresh(struct cache_model *model)
{
	uint32_t newest_gone = 0;
	MODEL_FOR_EACH(region, model)
	{
		if (region->state == MODEL_KEPT && region->tried) {
			if (region->holds)
				fail_msg("a region in use was given up");
			newest_gone = region->stamp > newest_gone ? region->stamp : newest_gone;
			model->expected.evictions++;
			region->state = MODEL_LEFT;
		}
		if (!region->gone)
			continue;
		if (region->holds)
			fail_msg("a region was deregistered while it is held");
		region->state = MODEL_FREE;
	}
	/* only what was used longest ago */
	MODEL_FOR_EACH(region, model)
	if (region->was_idle && region->state != MODEL_LEFT && region->stamp < newest_gone)
		fail_msg("used at %u, and one that was used at %u had to go", region->stamp,
			 newest_gone);
}

/* Will it be deregistered without another call? */
static bool has_to_go(const struct cache_model *model, const struct model_region *region)
{
	if (region->state != MODEL_LEFT || region->holds)
		return false;
	return model->deregister_fails ? !region->tried : !region->gone;
}

/* What the list says of sizes, into *out. */
static void add_up(struct cache_model *model, struct pinreg_cache_info *out)
{
	out->regions = out->in_use = out->bytes = out->pinned = 0;
	MODEL_FOR_EACH(region, model)
	{
		uint64_t first = region->start / TAGGED_PAGE;
		uint64_t last = (region->end - 1) / TAGGED_PAGE;
		out->in_use += region->holds > 0;
		if (region->state == MODEL_SINGLE || region->gone)
			continue;
		out->regions++;
		out->bytes += region->end - region->start;
		if (model->opts.method != PINREG_METHOD_ODP)
			out->pinned += (last - first + 1) * TAGGED_PAGE;
	}
}

/* Wait for the cache's own threads; the last answer goes to *info. */
static void settle(struct cache_model *model, struct pinreg_cache_info *info)
{
	uint64_t end = pinreg_sys_real.now_ns() + PATIENCE_NS;
	for (bool settled = false; !settled; sched_yield()) {
		info->size = sizeof(*info);
		test_ok(pinreg_cache_query(model->cache, info));
		add_up(model, &model->expected);
		settled = info->invalidations == model->expected.invalidations &&
			  info->regions == model->expected.regions;
		MODEL_FOR_EACH(region, model)
		settled = settled && !has_to_go(model, region);
		if (!settled && pinreg_sys_real.now_ns() > end)
			break;
	}
	model_refresh(model);
}

void model_leave_range(struct cache_model *model, uint64_t start, uint64_t end)
{
	MODEL_FOR_EACH(region, model)
	{
		if (region->state != MODEL_KEPT || region->start >= end || start >= region->end)
			continue;
		region->state = MODEL_LEFT;
		model->expected.invalidations++;
	}
}

/* ---- checks ---- */

void model_expect(const char *what, uint64_t found, uint64_t expected)
{
	if (found != expected)
		fail_msg("%s: %lu, not %lu", what, (unsigned long)found, (unsigned long)expected);
}

void cache_model_check(struct cache_model *model)
{
	struct pinreg_cache_info info;
	const struct pinreg_cache_info *expected = &model->expected;
	settle(model, &info);
	model_expect("hits", info.hits, expected->hits);
	model_expect("misses", info.misses, expected->misses);
	model_expect("evictions", info.evictions, expected->evictions);
	model_expect("invalidations", info.invalidations, expected->invalidations);
	model_expect("merges", info.merges, expected->merges);
	model_expect("unkept", info.unkept, expected->unkept);
	model_expect("regions", info.regions, expected->regions);
	model_expect("in use", info.in_use, expected->in_use);
	model_expect("bytes", info.bytes, expected->bytes);
	model_expect("pinned", info.pinned, expected->pinned);
	MODEL_FOR_EACH(region, model)
	if (has_to_go(model, region))
		fail_msg("a region that was given up stays registered");
	if (model->opts.max_regions)
		assert_true(info.regions <= model->opts.max_regions);
	if (model->opts.max_bytes)
		assert_true(info.bytes <= model->opts.max_bytes);
	if (model->opts.max_pinned)
		assert_true(info.pinned <= model->opts.max_pinned);
}

/* ---- its life ---- */

void cache_model_open(struct cache_model *model, struct pinreg_domain *domain,
		      const struct pinreg_cache_opts *opts)
{
	struct pinreg_why why;
	model->opts = *opts;
	model->arena = arena_open(2 * MODEL_PAGES * TAGGED_PAGE);
	current = model;
	tagged_sys.now_ns = now_ns;
	tagged_device.registers = may_register;
	tagged_device.deregisters = may_deregister;
	tagged_device.registered = registered;
	tagged_device.deregistered = deregistered;
	int status = pinreg_cache_open(domain, opts, &why, &model->cache);
	if (status == -EOPNOTSUPP)
		test_skip("no userfaultfd: %s, errno %d", why.step, why.os_error);
	test_ok(status);
}

void cache_model_close(struct cache_model *model)
{
	model->register_fails = model->deregister_fails = 0;
	for (struct model_hold *hold = model->holds; hold < model->holds + MODEL_HOLDS; hold++)
		if (hold->handle)
			cache_model_put(model, hold, false);
	test_ok(pinreg_cache_close(model->cache));
	MODEL_FOR_EACH(region, model)
	if (!region->gone)
		fail_msg("a registration is left when the cache is closed");
}
