/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * torture_rdma.c -- torture with real transfers.
 */
#include "support/torture_rdma.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/rdma.h"
#include "support/test.h"

struct pinreg_cache_info torture_rdma_info;
_Atomic(uint64_t) torture_rdma_moved, torture_rdma_silent;

struct mover {
	struct rdma_peer *peer;
	unsigned int stores;
};

static void *begin(void)
{
	struct mover *mover = calloc(1, sizeof(*mover));
	assert_non_null(mover);
	mover->peer = rdma_peer_open();
	return mover;
}

static void end(void *context)
{
	struct mover *mover = context;
	rdma_peer_close(mover->peer);
	free(mover);
}

static void fill(void *addr, size_t length, uint64_t number)
{
	rdma_pattern(addr, length, (unsigned int)number);
}

/* An error is the end of a peer. A machine with too much to do may give no answer in time. */
static bool moved(struct mover *mover, int status, bool *worth)
{
	*worth = !status;
	torture_rdma_moved += !status;
	torture_rdma_silent += status == -ETIMEDOUT;
	if (!status)
		return true;
	rdma_peer_close(mover->peer);
	mover->peer = rdma_peer_open();
	return status == -ETIMEDOUT;
}

static bool is_wrong(const char **wrong, const char *what, size_t length, int status)
{
	static _Thread_local char text[96];
	snprintf(text, sizeof(text), "%s %zu bytes: %s", what, length,
		 status ? strerror(-status) : "others than those in memory");
	*wrong = text;
	return false;
}

static bool leads(void *context, const struct pinreg_keys *keys, void *addr, size_t length,
		  unsigned int access, const char **wrong)
{
	struct mover *mover = context;
	uint64_t offset = (uintptr_t)addr - keys->addr;
	bool worth;
	if (offset > keys->length || length > keys->length - offset)
		return is_wrong(wrong, "the range is not within the region,", length, -EINVAL);
	if (access & IBV_ACCESS_REMOTE_READ) {
		int status = rdma_peer_read(mover->peer, keys, offset, (uint32_t)length);
		if (!moved(mover, status, &worth))
			return is_wrong(wrong, "reading", length, status);
		if (worth && memcmp(rdma_peer_buffer(mover->peer), addr, length))
			return is_wrong(wrong, "reading", length, 0);
	}
	if (access & IBV_ACCESS_REMOTE_WRITE) {
		rdma_pattern(rdma_peer_buffer(mover->peer), length, ~mover->stores++);
		int status = rdma_peer_write(mover->peer, keys, offset, (uint32_t)length);
		if (!moved(mover, status, &worth))
			return is_wrong(wrong, "writing", length, status);
		if (worth && memcmp(rdma_peer_buffer(mover->peer), addr, length))
			return is_wrong(wrong, "writing", length, 0);
	}
	return true;
}

/* Whatever it reads. */
static bool alive(void *context, const struct pinreg_keys *keys, unsigned int access)
{
	struct mover *mover = context;
	bool worth;
	return !(access & IBV_ACCESS_REMOTE_READ) ||
	       moved(mover, rdma_peer_read(mover->peer, keys, 0, 1), &worth);
}

int torture_rdma_run(struct torture *torture, const struct pinreg_cache_opts *opts, bool paged,
		     struct pinreg_why *why)
{
	int status = pinreg_cache_open(rdma_domain(NULL), opts, why, &torture->cache);
	if (status)
		return status;
	torture->begin = begin;
	torture->end = end;
	torture->fill = fill;
	torture->leads = leads;
	torture->alive = paged ? NULL : alive;
	torture->strict = opts->strict;
	torture->manual = opts->monitor == PINREG_MONITOR_MANUAL;
	torture_rdma_moved = torture_rdma_silent = 0;
	torture_run(torture);
	torture_rdma_info.size = sizeof(torture_rdma_info);
	test_ok(pinreg_cache_query(torture->cache, &torture_rdma_info));
	return pinreg_cache_close(torture->cache);
}
