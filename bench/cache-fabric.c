/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache-fabric.c -- libfabric's registration cache: its verbs provider, on the first device.
 *
 * With the monitor that it chooses, or that FI_MR_CACHE_MONITOR names.
 */
#include <stdlib.h>
#include <string.h>

#include <rdma/fabric.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_errno.h>

#include "cache-side.h"
#include "fail.h"

#define ACCESS (FI_READ | FI_WRITE | FI_REMOTE_READ | FI_REMOTE_WRITE)

struct fabric {
	struct fi_info *info;
	struct fid_fabric *fabric;
	struct fid_domain *domain;
};

static void must(const char *what, int status)
{
	if (status)
		die(what, fi_strerror(-status));
}

/* Both keys of the region, which is then given back. */
static bool take(struct fid_domain *domain, char *addr, uint64_t *keys)
{
	struct fid_mr *mr;
	if (fi_mr_reg(domain, addr, CACHE_LENGTH, ACCESS, 0, 0, 0, &mr, NULL))
		return false;
	if (keys) {
		keys[0] = (uintptr_t)fi_mr_desc(mr);
		keys[1] = fi_mr_key(mr);
	}
	return !fi_close(&mr->fid);
}

/* A registration that was not kept has another key the next time: as rxe does it. */
static void look_whether_it_caches(struct fid_domain *domain)
{
	uint64_t before[2], after[2];
	struct cache_arena arena;
	cache_arena_map(&arena, 1);
	if (!take(domain, arena.base, before) || !take(domain, arena.base, after))
		die("fi_mr_reg", "it fails");
	if (before[1] != after[1])
		die("libfabric", "it keeps no registrations");
	cache_arena_unmap(&arena);
}

static void *open_cache(void)
{
	struct fabric *fabric = calloc(1, sizeof(*fabric));
	/* no look at providers that are not asked for */
	setenv("FI_PROVIDER", "verbs", 0);
	struct fi_info *hints = fi_allocinfo();
	if (!fabric || !hints)
		die("malloc", "no memory");
	hints->fabric_attr->prov_name = strdup("verbs");
	hints->ep_attr->type = FI_EP_MSG;
	hints->caps = FI_MSG | FI_RMA;
	hints->domain_attr->mr_mode =
		FI_MR_LOCAL | FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY;
	must("fi_getinfo", fi_getinfo(FI_VERSION(1, 9), NULL, NULL, 0, hints, &fabric->info));
	fi_freeinfo(hints);
	must("fi_fabric", fi_fabric(fabric->info->fabric_attr, &fabric->fabric, NULL));
	must("fi_domain", fi_domain(fabric->fabric, fabric->info, &fabric->domain, NULL));
	look_whether_it_caches(fabric->domain);
	return fabric;
}

static bool pairs(void *of, const char *base, const uint32_t *numbers, size_t count)
{
	struct fabric *fabric = of;
	for (size_t i = 0; i < count; i++)
		if (!take(fabric->domain, cache_region(base, numbers[i]), NULL))
			return false;
	return true;
}

static bool pairs_with_keys(void *of, const char *base, const uint32_t *numbers, size_t count)
{
	struct fabric *fabric = of;
	uint64_t keys[2];
	bool all = true;
	for (size_t i = 0; i < count; i++)
		all = all && take(fabric->domain, cache_region(base, numbers[i]), keys) && keys[1];
	return all;
}

static void close_cache(void *of)
{
	struct fabric *fabric = of;
	fi_close(&fabric->domain->fid);
	fi_close(&fabric->fabric->fid);
	fi_freeinfo(fabric->info);
	free(fabric);
}

const struct cache_side *cache_fabric(void)
{
	static const struct cache_side side = {
		.name = "libfabric",
		.open = open_cache,
		.pairs = pairs,
		.pairs_with_keys = pairs_with_keys,
		.close = close_cache,
	};
	return &side;
}
