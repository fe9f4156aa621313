/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link.h -- one RC connection: its queue pair, its messages, its completions.
 *
 * Both sides use it. At most LINK_DEPTH messages are under way in a direction.
 */
#ifndef PMEM_STORE_LINK_H
#define PMEM_STORE_LINK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <rdma/rdma_cma.h>

#include "device.h"
#include "wire.h"

#define LINK_DEPTH 4u
#define LINK_RECEIVES 64u  /* of messages and descriptors, which come unasked */
#define LINK_PUSHES 256u   /* descriptors under way */
#define LINK_DATA_DEPTH 4u /* RDMA reads or writes under way */

struct link {
	struct rdma_cm_id *id; /* the owner's */
	struct ibv_comp_channel *channel;
	struct ibv_cq *cq;
	uint8_t *messages; /* LINK_RECEIVES to receive into, LINK_DEPTH to send from */
	struct pinreg_region *region;
	uint32_t lkey;
	unsigned int sends; /* posted and not completed */
	unsigned int next_send;
	pthread_mutex_t lock; /* of the queue pair, against link_break() */
	bool has_qp;
	bool broken;
	uint8_t descriptor[PINREG_DESCRIPTOR_LENGTH]; /* the last that was received */
};

enum link_event {
	LINK_MESSAGE, /* a message was received */
	LINK_DATA,    /* the oldest RDMA read or write is done */
	LINK_RENEWAL, /* a descriptor was received: link->descriptor */
};

/* To be called once, before everything else. */
void link_init(struct link *link, struct rdma_cm_id *id);
/* Make the queue pair of the id and post the receives. 0 or -errno. */
int link_make(struct link *link, struct device *device);
/* After it no write of the peer can arrive any more. Not the id. */
void link_unmake(struct link *link);
/* From any thread: make every wait on the link end. */
void link_break(struct link *link);

/* The same on both sides; for rdma_connect() and rdma_accept(). */
struct rdma_conn_param link_parameters(void);
/* Bytes; 0 if it cannot be asked. */
unsigned int link_path_mtu(struct link *link);

int link_send(struct link *link, const struct message *message);
/* From any thread: a descriptor, unasked. A link that cannot take it is broken: the
 * peer connects again and gets it then. Does not wait. */
int link_push(void *link, const void *descriptor, size_t length);
int link_rdma(struct link *link, bool write, void *local, uint32_t lkey, uint64_t remote,
	      uint32_t rkey, uint32_t length);

/*
 * Wait for the next event. alarm_fd: something else to watch, or -1.
 * Return: 0; -ETIMEDOUT; -ECANCELED when alarm_fd is readable;
 * -EACCES when the remote keys are dead (fenced); -ECONNRESET for any other
 * failed work request; -EBADMSG for a malformed message.
 */
int link_wait(struct link *link, int alarm_fd, int timeout_ms, enum link_event *event,
	      struct message *message);

#endif
