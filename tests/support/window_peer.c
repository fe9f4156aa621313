/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * window_peer.c -- a peer that reaches the region of a leased file through a window.
 */
#include "support/window_peer.h"

#include <stdlib.h>
#include <string.h>

#include "support/hooks.h"
#include "support/rdma.h"
#include "support/test.h"

#define BIND_MS 10000u

void window_peer_come(struct window_peer *peer)
{
	void *memory = aligned_alloc(4096, WINDOW_PEER_PIECE);
	assert_non_null(memory);
	qp_pair_open(&peer->pair);
	peer->buffer = ibv_reg_mr(rdma_pd(), memory, WINDOW_PEER_PIECE, IBV_ACCESS_LOCAL_WRITE);
	assert_non_null(peer->buffer);
	peer->window = NULL;
}

void window_peer_admit(struct window_peer *peer, const struct leased *leased)
{
	struct pinreg_window_opts opts = { .size = sizeof(opts), .wr_id = 77 };
	struct ibv_wc done = { .wr_id = 0 };
	test_ok(pinreg_window_bind(leased->region, peer->pair.qp[QP_OWNER], &opts, &peer->window));
	for (unsigned int i = 0; i < BIND_MS && !done.wr_id; i++) {
		test_ok(ibv_poll_cq(peer->pair.cq[QP_OWNER], 1, &done));
		hooks_nap(1);
	}
	assert_int_equal(done.wr_id, 77);
	assert_int_equal(done.status, IBV_WC_SUCCESS);
	peer->keys = (struct pinreg_keys){ .size = sizeof(peer->keys) };
	test_ok(pinreg_window_keys(peer->window, &peer->keys));
	assert_int_equal(peer->keys.lkey, 0);
	assert_int_equal(peer->keys.length, leased->info.length);
}

void window_peer_leave(struct window_peer *peer)
{
	/* first: a window that is bound keeps its queue pair */
	test_ok(pinreg_window_close(peer->window));
	qp_pair_close(&peer->pair);
	void *memory = peer->buffer->addr;
	test_ok(-ibv_dereg_mr(peer->buffer));
	free(memory);
}

enum ibv_wc_status window_peer_move(struct window_peer *peer, enum ibv_wr_opcode opcode,
				    uint64_t offset)
{
	return qp_pair_move(&peer->pair, opcode, peer->buffer, WINDOW_PEER_PIECE,
			    peer->keys.addr + offset, peer->keys.rkey);
}

void window_peer_store(struct window_peer *peer, const struct leased *leased, uint64_t offset,
		       unsigned int pattern)
{
	rdma_pattern(peer->buffer->addr, WINDOW_PEER_PIECE, pattern);
	assert_int_equal(window_peer_move(peer, IBV_WR_RDMA_WRITE, offset), IBV_WC_SUCCESS);
	test_ok(pinreg_region_commit(leased->region, offset, WINDOW_PEER_PIECE));
	rdma_expect(leased->memory + offset, WINDOW_PEER_PIECE, pattern);
}

const unsigned char *window_peer_load(struct window_peer *peer, uint64_t offset)
{
	memset(peer->buffer->addr, 0xee, WINDOW_PEER_PIECE);
	assert_int_equal(window_peer_move(peer, IBV_WR_RDMA_READ, offset), IBV_WC_SUCCESS);
	return peer->buffer->addr;
}
