/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rdma.c -- the guest's device, and a remote peer that is the device itself.
 */
#include "support/rdma.h"

#include <stdlib.h>

#include "support/test.h"
#include "sys/sys.h"

struct rdma_peer {
	struct pinreg_loop *loop;
	struct ibv_mr *mr;
	unsigned char *buffer;
};

static struct ibv_pd *pd;
static struct pinreg_domain *domain;

struct ibv_pd *rdma_pd(void)
{
	if (pd)
		return pd;
	struct ibv_device **list = ibv_get_device_list(NULL);
	assert_non_null(list);
	if (!list[0])
		fail_msg("there is no verbs device");
	struct ibv_context *context = ibv_open_device(list[0]);
	assert_non_null(context);
	ibv_free_device_list(list);
	pd = ibv_alloc_pd(context);
	assert_non_null(pd);
	return pd;
}

struct pinreg_domain *rdma_domain(const struct pinreg_domain_opts *opts)
{
	if (!domain)
		test_ok(pinreg_domain_open(rdma_pd(), opts, &domain));
	return domain;
}

bool rdma_has_odp(void)
{
	struct pinreg_domain_info info = { .size = sizeof(info) };
	test_ok(pinreg_domain_query(rdma_domain(NULL), &info));
	return info.odp & IBV_ODP_SUPPORT;
}

enum pinreg_trust rdma_trust(void)
{
	struct pinreg_trust_report report = { .size = sizeof(report) };
	test_ok(pinreg_domain_test_odp(rdma_domain(NULL), &report));
	return report.trust;
}

struct pinreg_region *rdma_register(void *addr, size_t length,
				    const struct pinreg_region_opts *opts)
{
	struct pinreg_region *region = NULL;
	struct pinreg_why why;
	int status = pinreg_region_register(rdma_domain(NULL), addr, length, opts, &why, &region);
	if (status)
		fail_msg("%d: %s", status, rdma_sentence(&why));
	return region;
}

struct pinreg_keys rdma_keys(struct pinreg_region *region)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	test_ok(pinreg_region_keys(region, &keys));
	return keys;
}

struct rdma_peer *rdma_peer_open(void)
{
	struct rdma_peer *peer = calloc(1, sizeof(*peer));
	assert_non_null(peer);
	peer->buffer = aligned_alloc(4096, RDMA_ROOM);
	assert_non_null(peer->buffer);
	test_ok(pinreg_sys_real.loop_open(rdma_pd(), 1, &peer->loop));
	test_ok(pinreg_sys_real.mr_register(rdma_pd(), peer->buffer, RDMA_ROOM,
					    (uintptr_t)peer->buffer, IBV_ACCESS_LOCAL_WRITE,
					    &peer->mr));
	return peer;
}

void rdma_peer_close(struct rdma_peer *peer)
{
	pinreg_sys_real.loop_close(peer->loop);
	pinreg_sys_real.mr_deregister(peer->mr);
	free(peer->buffer);
	free(peer);
}

unsigned char *rdma_peer_buffer(struct rdma_peer *peer)
{
	return peer->buffer;
}

int rdma_peer_write(struct rdma_peer *peer, const struct pinreg_keys *keys, uint64_t offset,
		    uint32_t length)
{
	return pinreg_sys_real.loop_write(peer->loop, peer->mr, (uintptr_t)peer->buffer, keys->rkey,
					  keys->addr + offset, length);
}

int rdma_peer_read(struct rdma_peer *peer, const struct pinreg_keys *keys, uint64_t offset,
		   uint32_t length)
{
	return pinreg_sys_real.loop_read(peer->loop, peer->mr, (uintptr_t)peer->buffer, keys->rkey,
					 keys->addr + offset, length);
}

static unsigned char pattern_byte(uint64_t at, unsigned int seed)
{
	uint64_t mixed = (at + 1) * 0x9e3779b97f4a7c15u + seed * 0xd1b54a32d192ed03u;
	/* the lowest bit alternates, so neighbours differ */
	return (unsigned char)(((mixed >> 40) & 0xfe) | (at & 1));
}

void rdma_pattern(unsigned char *to, uint64_t length, unsigned int seed)
{
	for (uint64_t i = 0; i < length; i++)
		to[i] = pattern_byte(i, seed);
}

void rdma_expect(const unsigned char *what, uint64_t length, unsigned int seed)
{
	for (uint64_t i = 0; i < length; i++)
		if (what[i] != pattern_byte(i, seed))
			fail_msg("byte %lu of %lu is 0x%02x, not 0x%02x", (unsigned long)i,
				 (unsigned long)length, what[i], pattern_byte(i, seed));
}

const char *rdma_sentence(const struct pinreg_why *why)
{
	static char text[512];
	pinreg_why_describe(why, text, sizeof(text));
	return text;
}
