/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop.c -- a reliable connection of a device to itself.
 */
#include "loop.h"

#include <errno.h>
#include <string.h>

#include "bench.h"
#include "fail.h"

#define PSN 1
#define WAIT_NS 10000000000u

static void check(const char *what, int error)
{
	if (error)
		die(what, strerror(error));
}

/* How the port reaches itself: by RoCE v2 over IPv4 where it can, else by its first GID. */
static struct ibv_ah_attr address_self(struct ibv_context *context)
{
	static const uint8_t ipv4[12] = { [10] = 0xff, [11] = 0xff };
	struct ibv_ah_attr address = { .port_num = 1, .is_global = 1, .grh.hop_limit = 64 };
	struct ibv_gid_entry entry;
	check("ibv_query_gid", ibv_query_gid(context, 1, 0, &address.grh.dgid) ? errno : 0);
	for (uint32_t i = 0; i < 64; i++) {
		if (ibv_query_gid_ex(context, 1, i, &entry, 0) ||
		    entry.gid_type != IBV_GID_TYPE_ROCE_V2 || memcmp(entry.gid.raw, ipv4, 12))
			continue;
		address.grh.dgid = entry.gid;
		address.grh.sgid_index = (uint8_t)i;
		break;
	}
	return address;
}

static struct ibv_qp *make(struct ibv_pd *pd, struct ibv_cq *cq)
{
	struct ibv_qp_init_attr init = {
		.send_cq = cq,
		.recv_cq = cq,
		.qp_type = IBV_QPT_RC,
		.cap = { .max_send_wr = 4, .max_recv_wr = 1, .max_send_sge = 1, .max_recv_sge = 1 },
		.sq_sig_all = 1,
	};
	struct ibv_qp *qp = ibv_create_qp(pd, &init);
	if (!qp)
		die("ibv_create_qp", strerror(errno));
	return qp;
}

static void connect(struct ibv_qp *qp, uint32_t other, const struct ibv_port_attr *port,
		    const struct ibv_ah_attr *self)
{
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_INIT,
		.port_num = 1,
		.qp_access_flags =
			IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_MW_BIND,
	};
	check("INIT",
	      ibv_modify_qp(qp, &attr,
			    IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS));
	attr = (struct ibv_qp_attr){
		.qp_state = IBV_QPS_RTR,
		.path_mtu = port->active_mtu,
		.dest_qp_num = other,
		.rq_psn = PSN,
		.max_dest_rd_atomic = 1,
		.min_rnr_timer = 12,
		.ah_attr = *self,
	};
	attr.ah_attr.dlid = port->lid;
	check("RTR", ibv_modify_qp(qp, &attr,
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
	check("RTS",
	      ibv_modify_qp(qp, &attr,
			    IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
				    IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC));
}

void loop_open(struct loop *loop, struct ibv_pd *pd)
{
	struct ibv_port_attr port;
	check("ibv_query_port", ibv_query_port(pd->context, 1, &port));
	struct ibv_ah_attr self = address_self(pd->context);
	loop->cq = ibv_create_cq(pd->context, 16, NULL, NULL, 0);
	if (!loop->cq)
		die("ibv_create_cq", strerror(errno));
	loop->owner = make(pd, loop->cq);
	loop->peer = make(pd, loop->cq);
	connect(loop->owner, loop->peer->qp_num, &port, &self);
	connect(loop->peer, loop->owner->qp_num, &port, &self);
}

void loop_close(struct loop *loop)
{
	check("ibv_destroy_qp", ibv_destroy_qp(loop->peer));
	check("ibv_destroy_qp", ibv_destroy_qp(loop->owner));
	check("ibv_destroy_cq", ibv_destroy_cq(loop->cq));
}

void loop_wait(struct loop *loop, const char *what)
{
	struct ibv_wc done;
	int count;
	uint64_t end = bench_now_ns() + WAIT_NS;
	do {
		count = ibv_poll_cq(loop->cq, 1, &done);
	} while (!count && bench_now_ns() < end);
	if (count != 1)
		die(what, "no completion");
	if (done.status != IBV_WC_SUCCESS)
		die(what, ibv_wc_status_str(done.status));
}

void loop_store(struct loop *loop, const struct ibv_mr *buffer, uint64_t remote, uint32_t rkey)
{
	struct ibv_sge piece = {
		.addr = (uintptr_t)buffer->addr,
		.length = (uint32_t)buffer->length,
		.lkey = buffer->lkey,
	};
	struct ibv_send_wr request = {
		.sg_list = &piece,
		.num_sge = 1,
		.opcode = IBV_WR_RDMA_WRITE,
		.wr.rdma = { .remote_addr = remote, .rkey = rkey },
	};
	struct ibv_send_wr *bad;
	check("ibv_post_send", ibv_post_send(loop->peer, &request, &bad));
	loop_wait(loop, "RDMA write");
}
