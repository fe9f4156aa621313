/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * window_peer.h -- a peer that reaches the region of a leased file through a memory
 * window, and no other way.
 */
#ifndef PINREG_TESTS_SUPPORT_WINDOW_PEER_H
#define PINREG_TESTS_SUPPORT_WINDOW_PEER_H

#include <pinreg/pinreg.h>

#include "support/leased.h"
#include "support/qp_pair.h"

/* What it moves at a time: the length of its buffer. */
#define WINDOW_PEER_PIECE 65536u

struct window_peer {
	struct qp_pair pair;
	struct ibv_mr *buffer;
	struct pinreg_window *window; /* that the owner bound for it */
	struct pinreg_keys keys;
};

void window_peer_come(struct window_peer *peer);

/* The owner lets it in, and it learns the key. */
void window_peer_admit(struct window_peer *peer, const struct leased *leased);

void window_peer_leave(struct window_peer *peer);

enum ibv_wc_status window_peer_move(struct window_peer *peer, enum ibv_wr_opcode opcode,
				    uint64_t offset);

/* It stores a pattern there, and that is in the file. */
void window_peer_store(struct window_peer *peer, const struct leased *leased, uint64_t offset,
		       unsigned int pattern);

/* What it reads there, in its buffer. */
const unsigned char *window_peer_load(struct window_peer *peer, uint64_t offset);

#endif
