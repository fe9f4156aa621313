/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * qp_pair.h -- two connected queue pairs of the guest's device, with nothing of the
 * library between: what memory windows are bound on.
 */
#ifndef PINREG_TESTS_SUPPORT_QP_PAIR_H
#define PINREG_TESTS_SUPPORT_QP_PAIR_H

#include <infiniband/verbs.h>

struct qp_pair {
	struct ibv_cq *cq[2];
	struct ibv_qp *qp[2]; /* the peer's, and the owner's */
};

#define QP_PEER 0
#define QP_OWNER 1

void qp_pair_open(struct qp_pair *pair);
void qp_pair_close(struct qp_pair *pair);

/* The status of the next completion of a side; fails the case after some seconds. */
enum ibv_wc_status qp_pair_wait(struct qp_pair *pair, int side);

/* Waits until a side's queue pair is in error, which may come after the completion that
 * brought it there; fails the case after some seconds. */
void qp_pair_wait_error(struct qp_pair *pair, int side);

/* The peer writes or reads; the completion's status. */
enum ibv_wc_status qp_pair_move(struct qp_pair *pair, enum ibv_wr_opcode opcode,
				const struct ibv_mr *local, uint32_t length, uint64_t remote,
				uint32_t rkey);

/* The owner binds a type 2 window, and waits. */
enum ibv_wc_status qp_pair_bind(struct qp_pair *pair, struct ibv_mw *window, struct ibv_mr *mr,
				uint64_t addr, uint64_t length, unsigned int access);

#endif
