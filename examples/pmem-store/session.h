/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.h -- one client's connection, served by one thread.
 *
 * When the connection ends, in whatever way, the subscriptions go first, then the queue
 * pair, and the reservation after it: no late write can reach slots that are free again.
 */
#ifndef PMEM_STORE_SESSION_H
#define PMEM_STORE_SESSION_H

#include <pthread.h>
#include <stdbool.h>

#include "link.h"
#include "pushes.h"
#include "shelf.h"

struct session;

/* All of a server's. */
struct sessions {
	struct shelf *shelf;
	struct pinreg_renewal *renewal;
	struct device *device;
	unsigned int needed_mtu; /* path MTU in bytes; 0: any */
	int wake_fd;		 /* written to when a store has failed */

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t ended;
	struct session *first;
	unsigned int count; /* threads, also those that are just ending */
};

/* 0 or -errno. */
int sessions_init(struct sessions *sessions, struct shelf *shelf, struct device *device,
		  int wake_fd);
/* Serve a connection request. It is accepted or rejected, and the id is the session's. */
void sessions_start(struct sessions *sessions, struct rdma_cm_id *id);
/* The peer of this id is gone. Does nothing for an id that has no session. */
void sessions_break(struct sessions *sessions, const struct rdma_cm_id *id);
/* A file's event. That it is restored is told when it is served again. */
void sessions_tell(struct sessions *sessions, const struct pinreg_event *event);
/* Who wanted the keys of this file while it was not served gets them now. */
void sessions_serve(struct sessions *sessions, unsigned int file);
/* End them all. */
void sessions_end(struct sessions *sessions);

#endif
