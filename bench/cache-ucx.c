/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache-ucx.c -- UCX's registration cache, with callbacks that do nothing.
 *
 * As its InfiniBand transport makes one: it has UCX patch the functions of libc that
 * unmap memory, so that it hears of them.
 */
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>

/* ucm.h is not complete by itself */
#include <ucs/memory/rcache.h>

#include <ucm/api/ucm.h>

#include "cache-side.h"
#include "fail.h"

static void prepare(void)
{
}

struct ucx {
	ucs_rcache_t *cache;
	size_t registered;
};

/* What the transport keeps of a registration. */
struct ucx_region {
	ucs_rcache_region_t super;
	uint32_t lkey, rkey;
};

static ucs_status_t mem_reg(void *context, ucs_rcache_t *cache, void *arg,
			    ucs_rcache_region_t *super, uint16_t flags)
{
	struct ucx *ucx = context;
	struct ucx_region *region = (struct ucx_region *)super;
	(void)cache;
	(void)arg;
	(void)flags;
	region->lkey = region->rkey = (uint32_t)ucx->registered++;
	return UCS_OK;
}

static void mem_dereg(void *context, ucs_rcache_t *cache, ucs_rcache_region_t *region)
{
	(void)context;
	(void)cache;
	(void)region;
}

static void dump_region(void *context, ucs_rcache_t *cache, ucs_rcache_region_t *region, char *text,
			size_t max)
{
	(void)context;
	(void)cache;
	(void)region;
	if (max)
		*text = 0;
}

static const ucs_rcache_ops_t ops = {
	.mem_reg = mem_reg,
	.mem_dereg = mem_dereg,
	.dump_region = dump_region,
};

/* The alignment was the cache's once, and is the request's now. */
#ifdef BENCH_UCX_REQUEST_ALIGNS
static void set_alignment(ucs_rcache_params_t *params)
{
	(void)params;
}

static ucs_status_t get(ucs_rcache_t *cache, char *addr, ucs_rcache_region_t **out)
{
	return ucs_rcache_get(cache, addr, CACHE_LENGTH, UCS_RCACHE_MIN_ALIGNMENT,
			      PROT_READ | PROT_WRITE, NULL, out);
}
#else
static void set_alignment(ucs_rcache_params_t *params)
{
	params->alignment = UCS_RCACHE_MIN_ALIGNMENT;
	params->max_alignment = 4096;
}

static ucs_status_t get(ucs_rcache_t *cache, char *addr, ucs_rcache_region_t **out)
{
	return ucs_rcache_get(cache, addr, CACHE_LENGTH, PROT_READ | PROT_WRITE, NULL, out);
}
#endif

static void *open_cache(void)
{
	struct ucx *ucx = calloc(1, sizeof(*ucx));
	if (!ucx)
		die("malloc", "no memory");
	ucs_rcache_params_t params = {
		.region_struct_size = sizeof(struct ucx_region),
		.ucm_events = UCM_EVENT_VM_UNMAPPED,
		.ucm_event_priority = 1000,
		.ops = &ops,
		.context = ucx,
		.max_regions = ULONG_MAX,
		.max_size = SIZE_MAX,
		.max_unreleased = SIZE_MAX,
	};
	set_alignment(&params);
	if (ucs_rcache_create(&params, "bench-cache", NULL, &ucx->cache) != UCS_OK)
		die("ucs_rcache_create", "it fails");
	return ucx;
}

static bool pairs(void *of, const char *base, const uint32_t *numbers, size_t count)
{
	ucs_rcache_t *cache = ((struct ucx *)of)->cache;
	for (size_t i = 0; i < count; i++) {
		ucs_rcache_region_t *region;
		if (get(cache, cache_region(base, numbers[i]), &region) != UCS_OK)
			return false;
		ucs_rcache_region_put(cache, region);
	}
	return true;
}

static bool pairs_with_keys(void *of, const char *base, const uint32_t *numbers, size_t count)
{
	ucs_rcache_t *cache = ((struct ucx *)of)->cache;
	uint32_t sum = 0;
	for (size_t i = 0; i < count; i++) {
		ucs_rcache_region_t *super;
		if (get(cache, cache_region(base, numbers[i]), &super) != UCS_OK)
			return false;
		struct ucx_region *region = (struct ucx_region *)super;
		sum += region->lkey ^ region->rkey;
		ucs_rcache_region_put(cache, super);
	}
	return !sum; /* they are the same */
}

static size_t count_registered(void *of)
{
	return ((struct ucx *)of)->registered;
}

static void close_cache(void *of)
{
	struct ucx *ucx = of;
	ucs_rcache_destroy(ucx->cache);
	free(ucx);
}

const struct cache_side *cache_ucx(void)
{
	static const struct cache_side side = {
		.name = "UCX",
		.prepare = prepare,
		.open = open_cache,
		.pairs = pairs,
		.pairs_with_keys = pairs_with_keys,
		.registered = count_registered,
		.close = close_cache,
	};
	return &side;
}
