/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cached.c -- a cache on the tagged device, and memory to ask it for.
 */
#include "support/cached.h"

#include <errno.h>
#include <sched.h>
#include <sys/mman.h>

#include "support/arena.h"
#include "support/test.h"

#define PATIENCE_NS 20000000000ull

struct pinreg_domain *cached_domain;
struct pinreg_cache *cached_cache;

void cached_open(const struct pinreg_cache_opts *opts)
{
	struct pinreg_why why;
	if (!cached_domain)
		cached_domain = tagged_domain(NULL);
	int status = pinreg_cache_open(cached_domain, opts, &why, &cached_cache);
	if (status == -EOPNOTSUPP)
		test_skip("no userfaultfd: %s, errno %d", why.step, why.os_error);
	test_ok(status);
}

void cached_open_as(enum pinreg_monitor monitor)
{
	struct pinreg_cache_opts opts = { .size = sizeof(opts), .monitor = monitor };
	cached_open(&opts);
}

void cached_close(void)
{
	test_ok(pinreg_cache_close(cached_cache));
	tagged_domain_close(cached_domain);
	cached_cache = NULL;
	cached_domain = NULL;
}

unsigned char *cached_pages(unsigned int count)
{
	unsigned char *addr = arena_open(count * CACHED_PAGE);
	arena_map(addr, count * CACHED_PAGE, PROT_READ | PROT_WRITE);
	tagged_fill(addr, count * CACHED_PAGE);
	return addr;
}

struct pinreg_region *cached_get(void *addr, size_t length, unsigned int access,
				 struct pinreg_keys *keys)
{
	struct pinreg_keys own = { .size = sizeof(own) };
	struct pinreg_region *region = NULL;
	struct pinreg_why why;
	int status = pinreg_cache_get(cached_cache, addr, length, access, &own, &why, &region);
	if (status)
		fail_msg("get: %d, %s", status, pinreg_reason_name(why.reason));
	assert_non_null(region);
	tagged_check(&own, addr, length, access ? access : CACHED_ALL);
	if (keys)
		*keys = own;
	return region;
}

int cached_refused(void *addr, size_t length, unsigned int access, struct pinreg_why *why)
{
	struct pinreg_region *region = NULL;
	struct pinreg_why own;
	int status = pinreg_cache_get(cached_cache, addr, length, access, NULL, &own, &region);
	assert_int_not_equal(status, 0);
	assert_null(region);
	assert_int_equal(own.error, status);
	if (why)
		*why = own;
	return status;
}

void cached_put(struct pinreg_region *region)
{
	test_ok(pinreg_cache_put(cached_cache, region));
}

bool cached_hit(void *addr, size_t length, unsigned int access)
{
	uint64_t before = cached_info().hits;
	cached_put(cached_get(addr, length, access, NULL));
	return cached_info().hits > before;
}

struct pinreg_cache_info cached_info(void)
{
	struct pinreg_cache_info info = { .size = sizeof(info) };
	test_ok(pinreg_cache_query(cached_cache, &info));
	return info;
}

void cached_expect_live(uint64_t count)
{
	uint64_t end = pinreg_sys_real.now_ns() + PATIENCE_NS;
	while (tagged_device.live != count && pinreg_sys_real.now_ns() < end)
		sched_yield();
	assert_int_equal(tagged_device.live, count);
}
