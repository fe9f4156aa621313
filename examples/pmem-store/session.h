/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.h -- one client's connection, served by one thread.
 *
 * When the connection ends, in whatever way, the queue pair goes first and the
 * reservation after it: no late write can reach slots that are free again.
 */
#ifndef PMEM_STORE_SESSION_H
#define PMEM_STORE_SESSION_H

#include <pthread.h>
#include <stdatomic.h>

#include "link.h"
#include "store.h"

struct session {
	struct session *next; /* the server's list */
	struct store *store;
	struct device *device;
	struct rdma_cm_id *id;
	unsigned int needed_mtu; /* 0: any */
	int wake_fd;		 /* written to when the thread has ended */
	atomic_bool ended;
	pthread_t thread;
	struct link link;
	struct scratch scratch;
	struct ticket ticket;
};

/* Serve a connection request; it is accepted or rejected. NULL: no memory, no thread. */
struct session *session_start(struct store *store, struct device *device, struct rdma_cm_id *id,
			      unsigned int needed_mtu, int wake_fd);
void session_break(struct session *session); /* the peer is gone: end soon */
void session_join(struct session *session);  /* waits; frees the session and its id */

#endif
