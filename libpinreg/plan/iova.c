/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * iova.c -- whether a pinned region works under another address, by data.
 */
#include <string.h>

#include "plan/device.h"
#include "plan/trust_side.h"

#define ROOM (16u << 10)
#define PLACE 777u
#define MOVED 9001u
#define ACCESS (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)

/* Both ways at an odd place; true if the bytes are right. */
static bool moves_right(const struct pinreg_sys *sys, struct pinreg_loop *loop,
			struct pinreg_trust_side *peer, unsigned char *memory,
			const struct ibv_mr *region, uint64_t iova)
{
	uint64_t local = (uintptr_t)peer->memory;
	if (sys->loop_write(loop, peer->mr, local, region->rkey, iova + PLACE, MOVED) ||
	    memcmp(memory + PLACE, peer->memory, MOVED))
		return false;
	memset(peer->memory, 0, MOVED);
	return !sys->loop_read(loop, peer->mr, local, region->rkey, iova + PLACE, MOVED) &&
	       !memcmp(memory + PLACE, peer->memory, MOVED);
}

static bool test_with(struct pinreg_device *device, struct pinreg_trust_side *peer, void *memory)
{
	const struct pinreg_sys *sys = device->sys;
	/* far away, with the same place in its page as every device wants it */
	uint64_t iova = (uintptr_t)memory ^ (UINT64_C(1) << 40);
	struct pinreg_loop *loop;
	struct ibv_mr *region;
	if (sys->mr_register(device->pd, memory, ROOM, iova, ACCESS, &region))
		return false;
	bool right = false;
	if (!sys->loop_open(device->pd, device->port, &loop)) {
		pinreg_trust_side_fill(peer, 0, MOVED, 1);
		right = moves_right(sys, loop, peer, memory, region, iova);
		sys->loop_close(loop);
	}
	sys->mr_deregister(region);
	return right;
}

enum pinreg_proof pinreg_device_test_iova(struct pinreg_device *device)
{
	int known = atomic_load(&device->iova);
	if (known != PINREG_PROOF_NONE)
		return (enum pinreg_proof)known;
	struct pinreg_trust_side peer;
	void *memory;
	if (device->sys->map_anonymous(ROOM, &memory))
		return PINREG_PROOF_NONE;
	known = PINREG_PROOF_NONE;
	if (!pinreg_trust_side_open(&peer, device, NULL, ROOM, ACCESS)) {
		known = test_with(device, &peer, memory) ? PINREG_PROOF_WORKS : PINREG_PROOF_FAILS;
		pinreg_trust_side_close(&peer);
	}
	device->sys->unmap(memory, ROOM);
	atomic_store(&device->iova, known);
	return (enum pinreg_proof)known;
}
