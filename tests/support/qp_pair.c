/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * qp_pair.c -- two connected queue pairs of the guest's device.
 */
#include "support/qp_pair.h"

#include <string.h>

#include "support/hooks.h"
#include "support/rdma.h"
#include "support/test.h"

#define PSN 0x1234

/* Its own address by RoCE v2 over IPv4. */
static struct ibv_ah_attr address_self(struct ibv_context *context)
{
	static const uint8_t ipv4[12] = { [10] = 0xff, [11] = 0xff };
	struct ibv_ah_attr address = { .port_num = 1, .is_global = 1 };
	struct ibv_gid_entry entry;
	for (uint32_t i = 0; i < 64; i++) {
		if (ibv_query_gid_ex(context, 1, i, &entry, 0) ||
		    entry.gid_type != IBV_GID_TYPE_ROCE_V2 || memcmp(entry.gid.raw, ipv4, 12))
			continue;
		address.grh = (struct ibv_global_route){
			.dgid = entry.gid,
			.sgid_index = (uint8_t)i,
			.hop_limit = 64,
		};
		return address;
	}
	fail_msg("the device has no IPv4 address");
	return address;
}

static void connect(struct qp_pair *pair, int side, const struct ibv_ah_attr *self)
{
	struct ibv_port_attr port;
	test_ok(-ibv_query_port(pair->qp[side]->context, 1, &port));
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_INIT,
		.port_num = 1,
		.qp_access_flags =
			IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_MW_BIND,
	};
	test_ok(-ibv_modify_qp(pair->qp[side], &attr,
			       IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
				       IBV_QP_ACCESS_FLAGS));
	attr = (struct ibv_qp_attr){
		.qp_state = IBV_QPS_RTR,
		.path_mtu = port.active_mtu,
		.dest_qp_num = pair->qp[!side]->qp_num,
		.rq_psn = PSN,
		.max_dest_rd_atomic = 1,
		.min_rnr_timer = 12,
		.ah_attr = *self,
	};
	test_ok(-ibv_modify_qp(pair->qp[side], &attr,
			       IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
				       IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC |
				       IBV_QP_MIN_RNR_TIMER));
	attr = (struct ibv_qp_attr){
		.qp_state = IBV_QPS_RTS,
		.timeout = 16,
		.retry_cnt = 7,
		.rnr_retry = 7,
		.sq_psn = PSN,
		.max_rd_atomic = 1,
	};
	test_ok(-ibv_modify_qp(pair->qp[side], &attr,
			       IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
				       IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC));
}

void qp_pair_open(struct qp_pair *pair)
{
	struct ibv_pd *pd = rdma_pd();
	struct ibv_ah_attr self = address_self(pd->context);
	for (int side = 0; side < 2; side++) {
		pair->cq[side] = ibv_create_cq(pd->context, 16, NULL, NULL, 0);
		assert_non_null(pair->cq[side]);
		struct ibv_qp_init_attr init = {
			.send_cq = pair->cq[side],
			.recv_cq = pair->cq[side],
			.qp_type = IBV_QPT_RC,
			.cap = { .max_send_wr = 8,
				 .max_recv_wr = 8,
				 .max_send_sge = 1,
				 .max_recv_sge = 1 },
			.sq_sig_all = 1,
		};
		pair->qp[side] = ibv_create_qp(pd, &init);
		assert_non_null(pair->qp[side]);
	}
	connect(pair, QP_PEER, &self);
	connect(pair, QP_OWNER, &self);
}

void qp_pair_close(struct qp_pair *pair)
{
	for (int side = 0; side < 2; side++)
		test_ok(-ibv_destroy_qp(pair->qp[side]));
	for (int side = 0; side < 2; side++)
		test_ok(-ibv_destroy_cq(pair->cq[side]));
}

enum ibv_wc_status qp_pair_wait(struct qp_pair *pair, int side)
{
	struct ibv_wc done;
	for (unsigned int i = 0; i < 10000; i++) {
		int count = ibv_poll_cq(pair->cq[side], 1, &done);
		if (count > 0)
			return done.status;
		hooks_nap(1);
	}
	fail_msg("no completion within 10 s");
	return IBV_WC_GENERAL_ERR;
}

void qp_pair_wait_error(struct qp_pair *pair, int side)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_RESET };
	struct ibv_qp_init_attr init;
	for (unsigned int i = 0; i < 10000; i++) {
		test_ok(-ibv_query_qp(pair->qp[side], &attr, IBV_QP_STATE, &init));
		if (attr.qp_state == IBV_QPS_ERR)
			return;
		hooks_nap(1);
	}
	fail_msg("the queue pair is in state %d, not in error, after 10 s", attr.qp_state);
}

enum ibv_wc_status qp_pair_move(struct qp_pair *pair, enum ibv_wr_opcode opcode,
				const struct ibv_mr *local, uint32_t length, uint64_t remote,
				uint32_t rkey)
{
	struct ibv_sge piece = {
		.addr = (uintptr_t)local->addr,
		.length = length,
		.lkey = local->lkey,
	};
	struct ibv_send_wr request = {
		.sg_list = &piece,
		.num_sge = 1,
		.opcode = opcode,
		.wr.rdma = { .remote_addr = remote, .rkey = rkey },
	};
	struct ibv_send_wr *bad;
	test_ok(-ibv_post_send(pair->qp[QP_PEER], &request, &bad));
	return qp_pair_wait(pair, QP_PEER);
}

enum ibv_wc_status qp_pair_bind(struct qp_pair *pair, struct ibv_mw *window, struct ibv_mr *mr,
				uint64_t addr, uint64_t length, unsigned int access)
{
	struct ibv_send_wr request = {
		.opcode = IBV_WR_BIND_MW,
		.bind_mw = {
			.mw = window,
			.rkey = ibv_inc_rkey(window->rkey),
			.bind_info = { .mr = mr, .addr = addr, .length = length,
				       .mw_access_flags = access },
		},
	};
	struct ibv_send_wr *bad;
	test_ok(-ibv_post_send(pair->qp[QP_OWNER], &request, &bad));
	enum ibv_wc_status status = qp_pair_wait(pair, QP_OWNER);
	if (status == IBV_WC_SUCCESS)
		window->rkey = request.bind_mw.rkey;
	return status;
}
