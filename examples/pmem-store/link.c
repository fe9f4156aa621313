/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link.c -- one RC connection: its queue pair, its messages, its completions.
 */
#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>

#define SENDS (LINK_DEPTH + LINK_DATA_DEPTH + LINK_PUSHES)
#define MESSAGES_BYTES ((LINK_RECEIVES + LINK_DEPTH) * WIRE_BYTES)

enum work { WORK_RECEIVE = 1, WORK_SEND = 2, WORK_DATA = 3, WORK_PUSH = 4 };

static uint64_t work_id(enum work work, unsigned int slot)
{
	return (uint64_t)work << 32 | slot;
}

static struct ibv_sge message_at(struct link *link, unsigned int slot)
{
	return (struct ibv_sge){ .addr = (uintptr_t)(link->messages + slot * WIRE_BYTES),
				 .length = WIRE_BYTES,
				 .lkey = link->lkey };
}

static int post_receive(struct link *link, unsigned int slot)
{
	struct ibv_sge sge = message_at(link, slot);
	struct ibv_recv_wr wr = { .wr_id = work_id(WORK_RECEIVE, slot),
				  .sg_list = &sge,
				  .num_sge = 1 };
	struct ibv_recv_wr *bad;

	return -ibv_post_recv(link->id->qp, &wr, &bad);
}

static int make_queues(struct link *link, struct device *device)
{
	struct ibv_qp_init_attr attr = { .qp_type = IBV_QPT_RC,
					 .cap = { .max_send_wr = SENDS,
						  .max_recv_wr = LINK_RECEIVES,
						  .max_send_sge = 1,
						  .max_recv_sge = 1,
						  .max_inline_data = PINREG_DESCRIPTOR_LENGTH } };
	int ret = 0;

	link->channel = ibv_create_comp_channel(link->id->verbs);
	if (!link->channel)
		return -errno;
	if (fcntl(link->channel->fd, F_SETFL, O_NONBLOCK) != 0)
		return -errno;
	link->cq = ibv_create_cq(link->id->verbs, SENDS + LINK_RECEIVES, NULL, link->channel, 0);
	if (!link->cq)
		return -errno;
	attr.send_cq = link->cq;
	attr.recv_cq = link->cq;
	pthread_mutex_lock(&link->lock);
	if (link->broken)
		ret = -ECANCELED;
	else if (rdma_create_qp(link->id, device->pd, &attr) != 0)
		ret = -errno;
	link->has_qp = ret == 0;
	pthread_mutex_unlock(&link->lock);
	return ret;
}

static int make_messages(struct link *link, struct device *device)
{
	struct pinreg_region_opts opts = { .size = sizeof(opts), .access = IBV_ACCESS_LOCAL_WRITE };
	struct pinreg_keys keys = { .size = sizeof(keys) };
	int ret;

	link->messages = mmap(NULL, MESSAGES_BYTES, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (link->messages == MAP_FAILED) {
		link->messages = NULL;
		return -ENOMEM;
	}
	ret = pinreg_region_register(device->domain, link->messages, MESSAGES_BYTES, &opts, NULL,
				     &link->region);
	if (ret == 0)
		ret = pinreg_region_keys(link->region, &keys);
	link->lkey = keys.lkey;
	return ret;
}

void link_init(struct link *link, struct rdma_cm_id *id)
{
	memset(link, 0, sizeof(*link));
	link->id = id;
	pthread_mutex_init(&link->lock, NULL);
}

int link_make(struct link *link, struct device *device)
{
	int ret = make_queues(link, device);

	if (ret == 0)
		ret = make_messages(link, device);
	for (unsigned int slot = 0; ret == 0 && slot < LINK_RECEIVES; slot++)
		ret = post_receive(link, slot);
	if (ret)
		link_unmake(link);
	return ret;
}

void link_unmake(struct link *link)
{
	pthread_mutex_lock(&link->lock);
	if (link->has_qp)
		rdma_destroy_qp(link->id);
	link->has_qp = false;
	pthread_mutex_unlock(&link->lock);
	if (link->cq)
		ibv_destroy_cq(link->cq);
	if (link->channel)
		ibv_destroy_comp_channel(link->channel);
	pinreg_region_deregister(link->region);
	if (link->messages)
		munmap(link->messages, MESSAGES_BYTES);
	link->cq = NULL;
	link->channel = NULL;
	link->region = NULL;
	link->messages = NULL;
}

void link_break(struct link *link)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_ERR };

	pthread_mutex_lock(&link->lock);
	link->broken = true;
	if (link->has_qp && rdma_disconnect(link->id) != 0)
		ibv_modify_qp(link->id->qp, &attr, IBV_QP_STATE); /* not connected yet */
	pthread_mutex_unlock(&link->lock);
}

struct rdma_conn_param link_parameters(void)
{
	return (struct rdma_conn_param){ .responder_resources = LINK_DATA_DEPTH,
					 .initiator_depth = LINK_DATA_DEPTH,
					 .retry_count = 7,
					 .rnr_retry_count = 7 };
}

unsigned int link_path_mtu(struct link *link)
{
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr = { 0 };

	if (ibv_query_qp(link->id->qp, &attr, IBV_QP_PATH_MTU, &init) != 0)
		return 0;
	return 128u << attr.path_mtu;
}

int link_send(struct link *link, const struct message *message)
{
	unsigned int slot = LINK_RECEIVES + link->next_send;
	struct ibv_sge sge = message_at(link, slot);
	struct ibv_send_wr wr = { .wr_id = work_id(WORK_SEND, slot),
				  .sg_list = &sge,
				  .num_sge = 1,
				  .opcode = IBV_WR_SEND,
				  .send_flags = IBV_SEND_SIGNALED };
	struct ibv_send_wr *bad;

	if (link->sends == LINK_DEPTH)
		return -EPROTO; /* a peer that does not wait for its answers */
	wire_encode(message, link->messages + slot * WIRE_BYTES);
	link->next_send = (link->next_send + 1) % LINK_DEPTH;
	link->sends++;
	return -ibv_post_send(link->id->qp, &wr, &bad);
}

int link_push(void *context, const void *descriptor, size_t length)
{
	struct link *link = context;
	struct pinreg_qp_channel channel = { .size = sizeof(channel),
					     .qp = link->id->qp,
					     .wr_id = work_id(WORK_PUSH, 0) };
	int ret = pinreg_qp_send(&channel, descriptor, length);

	if (ret)
		link_break(link);
	return ret;
}

int link_rdma(struct link *link, bool write, void *local, uint32_t lkey, uint64_t remote,
	      uint32_t rkey, uint32_t length)
{
	struct ibv_sge sge = { .addr = (uintptr_t)local, .length = length, .lkey = lkey };
	struct ibv_send_wr wr = { .wr_id = work_id(WORK_DATA, 0),
				  .sg_list = &sge,
				  .num_sge = 1,
				  .opcode = write ? IBV_WR_RDMA_WRITE : IBV_WR_RDMA_READ,
				  .send_flags = IBV_SEND_SIGNALED,
				  .wr.rdma = { .remote_addr = remote, .rkey = rkey } };
	struct ibv_send_wr *bad;

	return -ibv_post_send(link->id->qp, &wr, &bad);
}

/* Return: 1 for a completion, 0 for none, -errno. */
static int next_completion(struct link *link, int alarm_fd, int timeout_ms, struct ibv_wc *wc)
{
	struct pollfd fds[2] = { { .fd = link->channel->fd, .events = POLLIN },
				 { .fd = alarm_fd, .events = POLLIN } };
	struct ibv_cq *cq;
	void *context;
	int got = ibv_poll_cq(link->cq, 1, wc);

	if (got)
		return got < 0 ? -EIO : 1;
	if (ibv_req_notify_cq(link->cq, 0) != 0)
		return -EIO;
	got = ibv_poll_cq(link->cq, 1, wc); /* what came before the request */
	if (got)
		return got < 0 ? -EIO : 1;
	got = poll(fds, 2, timeout_ms);
	if (got < 0)
		return errno == EINTR ? 0 : -errno;
	if (got == 0)
		return -ETIMEDOUT;
	if (fds[0].revents && ibv_get_cq_event(link->channel, &cq, &context) == 0)
		ibv_ack_cq_events(cq, 1);
	/* A failed work request says more than a closed connection: it goes first. */
	got = ibv_poll_cq(link->cq, 1, wc);
	if (got)
		return got < 0 ? -EIO : 1;
	return fds[1].revents ? -ECANCELED : 0;
}

static int received(struct link *link, const struct ibv_wc *wc, enum link_event *event,
		    struct message *message)
{
	unsigned int slot = (unsigned int)wc->wr_id;
	const uint8_t *at = link->messages + slot * WIRE_BYTES;

	if (wc->opcode != IBV_WC_RECV)
		return -EBADMSG;
	if (pinreg_descriptor_detect(at, wc->byte_len)) {
		memcpy(link->descriptor, at, sizeof(link->descriptor));
		*event = LINK_RENEWAL;
	} else if (wire_decode(at, wc->byte_len, message)) {
		*event = LINK_MESSAGE;
	} else {
		return -EBADMSG;
	}
	return post_receive(link, slot);
}

int link_wait(struct link *link, int alarm_fd, int timeout_ms, enum link_event *event,
	      struct message *message)
{
	struct ibv_wc wc;

	for (;;) {
		int got = next_completion(link, alarm_fd, timeout_ms, &wc);

		if (got < 0)
			return got;
		if (got == 0)
			continue;
		if (wc.status == IBV_WC_REM_ACCESS_ERR)
			return -EACCES;
		if (wc.status != IBV_WC_SUCCESS)
			return -ECONNRESET;
		switch ((enum work)(wc.wr_id >> 32)) {
		case WORK_RECEIVE:
			return received(link, &wc, event, message);
		case WORK_DATA:
			*event = LINK_DATA;
			return 0;
		case WORK_SEND:
			link->sends--;
			break;
		case WORK_PUSH:
			break;
		}
	}
}
