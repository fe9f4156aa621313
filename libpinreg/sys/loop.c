/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop.c -- a device connected to itself by two reliable queue pairs.
 *
 * The front one starts every transfer, the back one answers it. One transfer
 * is under way at a time, and each is waited for. After an error or a time-out
 * both queue pairs are useless: the loop is dead, every later transfer on it
 * is -EREMOTEIO, and the caller opens another.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sys/real.h"

/*
 * How long until silence is reported. The queue pair gives up first: 4.096 us
 * shifted by 16 is 268 ms, and eight times that are 2.2 s. The deadline is for
 * devices that stretch this, and for a responder that says "not ready" for
 * ever, which it may do while it serves page faults.
 */
#define LOOP_TIMEOUT 16
#define LOOP_RETRIES 7
#define LOOP_DEADLINE_NS 5000000000ull

#define LOOP_PSN 0x1f2e3d
#define LOOP_GIDS 256 /* as many as an address vector can name */
#define LOOP_BUSY_POLLS 200
#define LOOP_NAP_NS 20000

struct pinreg_loop {
	struct ibv_cq *cq; /* of both; only the front one completes anything */
	struct ibv_qp *front;
	struct ibv_qp *back;
	bool dead;
};

/* -errno of a call that sets it, or may have forgotten to. */
static int failure(void)
{
	return errno > 0 ? -errno : -EIO;
}

/* How much a GID of a RoCE port is liked; 0: not at all. */
static int gid_rank(const struct ibv_gid_entry *entry)
{
	const uint8_t *raw = entry->gid.raw;
	static const uint8_t ipv4[12] = { [10] = 0xff, [11] = 0xff };
	bool link_local = raw[0] == 0xfe && (raw[1] & 0xc0) == 0x80;

	if (!entry->gid.global.subnet_prefix && !entry->gid.global.interface_id)
		return 0;
	if (entry->gid_type != IBV_GID_TYPE_ROCE_V2)
		return 1;
	if (!memcmp(raw, ipv4, sizeof(ipv4)))
		return 4;
	return link_local ? 2 : 3;
}

/* The best GID of a RoCE port. 0, or -EADDRNOTAVAIL. */
static int gid_choose(struct ibv_context *context, unsigned int port, int count,
		      struct ibv_gid_entry *best)
{
	int best_rank = 0;

	for (int i = 0; i < count && i < LOOP_GIDS && best_rank < 4; i++) {
		struct ibv_gid_entry entry;

		if (ibv_query_gid_ex(context, port, (uint32_t)i, &entry, 0))
			continue; /* an empty slot */
		if (gid_rank(&entry) <= best_rank)
			continue;
		best_rank = gid_rank(&entry);
		*best = entry;
	}
	return best_rank ? 0 : -EADDRNOTAVAIL;
}

/* The way from the port to itself. */
static int address_self(struct ibv_context *context, unsigned int port,
			const struct ibv_port_attr *attr, struct ibv_ah_attr *out)
{
	struct ibv_gid_entry entry = { .gid_index = 0 };
	bool roce = attr->link_layer == IBV_LINK_LAYER_ETHERNET;
	int error = 0;

	*out = (struct ibv_ah_attr){ .port_num = (uint8_t)port };
	if (!roce)
		out->dlid = attr->lid;
	if (!roce && !(attr->flags & IBV_QPF_GRH_REQUIRED))
		return 0;
	if (roce)
		error = gid_choose(context, port, attr->gid_tbl_len, &entry);
	else if (ibv_query_gid(context, (uint8_t)port, 0, &entry.gid))
		error = failure();
	if (error)
		return error;
	out->is_global = 1;
	out->grh.dgid = entry.gid;
	out->grh.sgid_index = (uint8_t)entry.gid_index;
	out->grh.hop_limit = 64;
	return 0;
}

static int qp_create(struct ibv_pd *pd, struct ibv_cq *cq, struct ibv_qp **out)
{
	struct ibv_qp_init_attr init = {
		.send_cq = cq,
		.recv_cq = cq,
		.qp_type = IBV_QPT_RC,
		/* nothing is ever received, but some devices do not take 0 */
		.cap = { .max_send_wr = 1, .max_recv_wr = 1, .max_send_sge = 1, .max_recv_sge = 1 },
	};

	errno = 0;
	*out = ibv_create_qp(pd, &init);
	return *out ? 0 : failure();
}

/* What may be done over it. A device without atomics may refuse to allow them. */
static unsigned int access_possible(struct ibv_context *context)
{
	unsigned int access = IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ;
	struct ibv_device_attr device;

	if (!ibv_query_device(context, &device) && device.atomic_cap != IBV_ATOMIC_NONE)
		access |= IBV_ACCESS_REMOTE_ATOMIC;
	return access;
}

static int qp_to_init(struct ibv_qp *qp, unsigned int port)
{
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_INIT,
		.port_num = (uint8_t)port,
		.qp_access_flags = access_possible(qp->context),
	};

	return -ibv_modify_qp(qp, &attr,
			      IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS);
}

static int qp_to_receive(struct ibv_qp *qp, uint32_t peer, enum ibv_mtu mtu,
			 const struct ibv_ah_attr *address)
{
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_RTR,
		.path_mtu = mtu,
		.dest_qp_num = peer,
		.rq_psn = LOOP_PSN,
		.max_dest_rd_atomic = 1,
		.min_rnr_timer = 1,
		.ah_attr = *address,
	};

	return -ibv_modify_qp(qp, &attr,
			      IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
				      IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC |
				      IBV_QP_MIN_RNR_TIMER);
}

static int qp_to_send(struct ibv_qp *qp)
{
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_RTS,
		.timeout = LOOP_TIMEOUT,
		.retry_cnt = LOOP_RETRIES,
		.rnr_retry = 7, /* for ever: a page fault is no error */
		.sq_psn = LOOP_PSN,
		.max_rd_atomic = 1,
	};

	return -ibv_modify_qp(qp, &attr,
			      IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
				      IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC);
}

static int qp_connect(struct ibv_qp *qp, uint32_t peer, unsigned int port, enum ibv_mtu mtu,
		      const struct ibv_ah_attr *address)
{
	int error = qp_to_init(qp, port);

	if (!error)
		error = qp_to_receive(qp, peer, mtu, address);
	if (!error)
		error = qp_to_send(qp);
	return error;
}

static int loop_build(struct pinreg_loop *loop, struct ibv_pd *pd, unsigned int port)
{
	struct ibv_port_attr attr;
	struct ibv_ah_attr address;
	int error = pinreg_real_port_query(pd->context, port, &attr);

	if (error)
		return error;
	if (attr.state != IBV_PORT_ACTIVE)
		return -ENETDOWN;
	error = address_self(pd->context, port, &attr, &address);
	if (error)
		return error;
	errno = 0;
	loop->cq = ibv_create_cq(pd->context, 4, NULL, NULL, 0);
	if (!loop->cq)
		return failure();
	error = qp_create(pd, loop->cq, &loop->front);
	if (!error)
		error = qp_create(pd, loop->cq, &loop->back);
	if (!error)
		error = qp_connect(loop->back, loop->front->qp_num, port, attr.active_mtu,
				   &address);
	if (!error)
		error = qp_connect(loop->front, loop->back->qp_num, port, attr.active_mtu,
				   &address);
	return error;
}

int pinreg_real_loop_open(struct ibv_pd *pd, unsigned int port, struct pinreg_loop **out)
{
	struct pinreg_loop *loop;
	int error;

	/* iWARP is connected through the connection manager only */
	if (pd->context->device->transport_type != IBV_TRANSPORT_IB)
		return -EOPNOTSUPP;
	loop = calloc(1, sizeof(*loop));
	if (!loop)
		return -ENOMEM;
	error = loop_build(loop, pd, port);
	if (error) {
		pinreg_real_loop_close(loop);
		return error;
	}
	*out = loop;
	return 0;
}

/* Takes the one completion. At least one look is made behind the deadline. */
static int completion_wait(struct pinreg_loop *loop)
{
	uint64_t deadline = pinreg_real_now_ns() + LOOP_DEADLINE_NS;
	const struct timespec nap = { .tv_nsec = LOOP_NAP_NS };
	struct ibv_wc wc;

	for (unsigned int polls = 0;; polls++) {
		bool late = pinreg_real_now_ns() > deadline;
		int count = ibv_poll_cq(loop->cq, 1, &wc);

		if (count < 0)
			return -EIO;
		if (count > 0)
			return wc.status == IBV_WC_SUCCESS ? 0 : -EREMOTEIO;
		if (late)
			return -ETIMEDOUT;
		/* a software device needs the processor to get on */
		if (polls >= LOOP_BUSY_POLLS)
			nanosleep(&nap, NULL);
	}
}

static int post_and_wait(struct pinreg_loop *loop, struct ibv_send_wr *wr)
{
	struct ibv_send_wr *bad;
	int error;

	if (loop->dead)
		return -EREMOTEIO;
	wr->send_flags = IBV_SEND_SIGNALED;
	error = -ibv_post_send(loop->front, wr, &bad);
	if (error)
		return error;
	error = completion_wait(loop);
	loop->dead = error != 0;
	return error;
}

static int transfer(struct pinreg_loop *loop, enum ibv_wr_opcode opcode, const struct ibv_mr *local,
		    uint64_t local_addr, uint32_t rkey, uint64_t remote_addr, uint32_t length)
{
	struct ibv_sge sge = { .addr = local_addr, .length = length, .lkey = local->lkey };
	struct ibv_send_wr wr = {
		.sg_list = &sge,
		.num_sge = 1,
		.opcode = opcode,
		.wr.rdma = { .remote_addr = remote_addr, .rkey = rkey },
	};

	return post_and_wait(loop, &wr);
}

int pinreg_real_loop_write(struct pinreg_loop *loop, const struct ibv_mr *local,
			   uint64_t local_addr, uint32_t rkey, uint64_t remote_addr,
			   uint32_t length)
{
	return transfer(loop, IBV_WR_RDMA_WRITE, local, local_addr, rkey, remote_addr, length);
}

int pinreg_real_loop_read(struct pinreg_loop *loop, const struct ibv_mr *local, uint64_t local_addr,
			  uint32_t rkey, uint64_t remote_addr, uint32_t length)
{
	return transfer(loop, IBV_WR_RDMA_READ, local, local_addr, rkey, remote_addr, length);
}

int pinreg_real_loop_fetch_add(struct pinreg_loop *loop, const struct ibv_mr *local,
			       uint64_t local_addr, uint32_t rkey, uint64_t remote_addr,
			       uint64_t add)
{
	struct ibv_sge sge = { .addr = local_addr, .length = 8, .lkey = local->lkey };
	struct ibv_send_wr wr = {
		.sg_list = &sge,
		.num_sge = 1,
		.opcode = IBV_WR_ATOMIC_FETCH_AND_ADD,
		.wr.atomic = { .remote_addr = remote_addr, .rkey = rkey, .compare_add = add },
	};

	return post_and_wait(loop, &wr);
}

int pinreg_real_loop_compare_swap(struct pinreg_loop *loop, const struct ibv_mr *local,
				  uint64_t local_addr, uint32_t rkey, uint64_t remote_addr,
				  uint64_t compare, uint64_t swap)
{
	struct ibv_sge sge = { .addr = local_addr, .length = 8, .lkey = local->lkey };
	struct ibv_send_wr wr = {
		.sg_list = &sge,
		.num_sge = 1,
		.opcode = IBV_WR_ATOMIC_CMP_AND_SWP,
		.wr.atomic = { .remote_addr = remote_addr,
			       .rkey = rkey,
			       .compare_add = compare,
			       .swap = swap },
	};

	return post_and_wait(loop, &wr);
}

void pinreg_real_loop_close(struct pinreg_loop *loop)
{
	if (!loop)
		return;
	/* the back one too answers from memory that the caller gives back next */
	if (loop->front)
		ibv_destroy_qp(loop->front);
	if (loop->back)
		ibv_destroy_qp(loop->back);
	if (loop->cq)
		ibv_destroy_cq(loop->cq);
	free(loop);
}
