/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop.h -- a reliable connection of a device to itself: an owner and a peer in one
 * process.
 */
#ifndef PINREG_BENCH_LOOP_H
#define PINREG_BENCH_LOOP_H

#include <infiniband/verbs.h>

/* What the caller's program does with a failure; it does not return. */
struct loop {
	struct ibv_cq *cq; /* of both */
	struct ibv_qp *owner;
	struct ibv_qp *peer;
};

/* On port 1. All work requests are signaled, one at a time. */
void loop_open(struct loop *loop, struct ibv_pd *pd);
void loop_close(struct loop *loop);

/* Wait for the next completion, which must be a success. */
void loop_wait(struct loop *loop, const char *what);

/* The peer stores its buffer there. */
void loop_store(struct loop *loop, const struct ibv_mr *buffer, uint64_t remote, uint32_t rkey);

#endif
