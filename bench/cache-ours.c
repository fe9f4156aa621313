/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache-ours.c -- the library's cache, on a device that registers nothing.
 *
 * The real system table, but for the verbs: so watching the memory, looking at it and
 * everything else is as it is with a device.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include <pinreg/cache.h>
#include <pinreg/pinreg.h>

#include "cache-side.h"
#include "domain.h"
#include "fail.h"

/* More than any part of the program has at once. */
#define REGISTRATIONS ((1u << 20) + 1024)

static struct ibv_device device = { .name = "nothing" };
static struct ibv_context context = { .device = &device };
static struct ibv_pd pd = { .context = &context };

/* Not on the heap: what they take is none of the cache's. */
static struct ibv_mr registrations[REGISTRATIONS];
static _Atomic(size_t) registered;

static int device_query(struct ibv_context *of, struct ibv_device_attr_ex *out)
{
	(void)of;
	memset(out, 0, sizeof(*out));
	out->orig_attr.phys_port_cnt = 1;
	out->orig_attr.max_mr_size = UINT64_MAX;
	out->orig_attr.max_mr = INT32_MAX;
	return 0;
}

static int port_query(struct ibv_context *of, unsigned int port, struct ibv_port_attr *out)
{
	(void)of;
	(void)port;
	*out = (struct ibv_port_attr){ .state = IBV_PORT_ACTIVE, .active_mtu = IBV_MTU_4096 };
	return 0;
}

static int mr_register(struct ibv_pd *of, void *addr, size_t length, uint64_t iova,
		       unsigned int access, struct ibv_mr **out)
{
	(void)iova;
	(void)access;
	size_t number = atomic_fetch_add_explicit(&registered, 1, memory_order_relaxed);
	struct ibv_mr *mr = &registrations[number % REGISTRATIONS];
	*mr = (struct ibv_mr){ .context = of->context, .pd = of, .addr = addr, .length = length };
	mr->lkey = mr->rkey = (uint32_t)number;
	*out = mr;
	return 0;
}

static int mr_deregister(struct ibv_mr *mr)
{
	(void)mr;
	return 0;
}

static void prepare(void)
{
	memset(registrations, 0xff, sizeof(registrations));
}

struct ours {
	struct pinreg_domain *domain;
	struct pinreg_cache *cache;
};

static struct ours *open_cache(struct pinreg_domain *domain, unsigned int strict)
{
	struct ours *ours = malloc(sizeof(*ours));
	if (!ours)
		die("malloc", "no memory");
	ours->domain = domain;
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_UFFD,
		.strict = strict,
		.max_regions = REGISTRATIONS,
		.no_populate = 1, /* where nothing pins the pages nobody needs them */
	};
	struct pinreg_why why;
	if (pinreg_cache_open(domain, &opts, &why, &ours->cache))
		refused("pinreg_cache_open", &why);
	return ours;
}

static void *open_on_nothing(unsigned int strict)
{
	static struct pinreg_sys sys;
	struct pinreg_domain *domain;
	sys = pinreg_sys_real;
	sys.device_query = device_query;
	sys.port_query = port_query;
	sys.mr_register = mr_register;
	sys.mr_deregister = mr_deregister;
	int status = pinreg_domain_open_with(&sys, &pd, NULL, &domain);
	if (status)
		die("pinreg_domain_open", strerror(-status));
	return open_cache(domain, strict);
}

static void *open_default(void)
{
	return open_on_nothing(0);
}

static void *open_strict(void)
{
	return open_on_nothing(1);
}

static struct ibv_pd *device_pd;

void cache_ours_on(struct ibv_pd *of)
{
	device_pd = of;
}

static void *open_on_device(void)
{
	struct pinreg_domain *domain;
	int status = pinreg_domain_open(device_pd, NULL, &domain);
	if (status)
		die("pinreg_domain_open", strerror(-status));
	return open_cache(domain, 0);
}

static bool pairs(void *of, const char *base, const uint32_t *numbers, size_t count)
{
	struct pinreg_cache *cache = ((struct ours *)of)->cache;
	for (size_t i = 0; i < count; i++) {
		struct pinreg_region *region;
		if (pinreg_cache_get(cache, cache_region(base, numbers[i]), CACHE_LENGTH, 0, NULL,
				     NULL, &region))
			return false;
		pinreg_cache_put(cache, region);
	}
	return true;
}

static bool pairs_with_keys(void *of, const char *base, const uint32_t *numbers, size_t count)
{
	struct pinreg_cache *cache = ((struct ours *)of)->cache;
	struct pinreg_keys keys = { .size = sizeof(keys) };
	uint32_t sum = 0;
	for (size_t i = 0; i < count; i++) {
		struct pinreg_region *region;
		if (pinreg_cache_get(cache, cache_region(base, numbers[i]), CACHE_LENGTH, 0, &keys,
				     NULL, &region))
			return false;
		sum += keys.lkey ^ keys.rkey;
		pinreg_cache_put(cache, region);
	}
	return !sum; /* they are the same */
}

static size_t count_registered(void *of)
{
	struct ours *ours = of;
	struct pinreg_cache_info info = { .size = sizeof(info) };
	if (pinreg_cache_query(ours->cache, &info))
		die("pinreg_cache_query", "it fails");
	return info.misses;
}

static void close_cache(void *of)
{
	struct ours *ours = of;
	int status = pinreg_cache_close(ours->cache);
	if (!status)
		status = pinreg_domain_close(ours->domain);
	if (status)
		die("pinreg_cache_close", strerror(-status));
	free(ours);
}

const struct cache_side cache_ours = {
	.name = "libpinreg",
	.prepare = prepare,
	.open = open_default,
	.pairs = pairs,
	.pairs_with_keys = pairs_with_keys,
	.registered = count_registered,
	.close = close_cache,
};

const struct cache_side cache_ours_strict = {
	.name = "libpinreg, strict",
	.prepare = prepare,
	.open = open_strict,
	.pairs = pairs,
	.pairs_with_keys = pairs_with_keys,
	.registered = count_registered,
	.close = close_cache,
};

const struct cache_side cache_ours_device = {
	.name = "libpinreg, on a device",
	.open = open_on_device,
	.pairs = pairs,
	.pairs_with_keys = pairs_with_keys,
	.registered = count_registered,
	.close = close_cache,
};
