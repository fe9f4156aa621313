/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.c -- one client's connection, served by one thread.
 */
#include "session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A client that says nothing for so long loses its reservation. */
#define IDLE_MS 120000

static void wake_server(const struct session *session)
{
	uint64_t one = 1;
	ssize_t ignored = write(session->wake_fd, &one, sizeof(one));

	(void)ignored; /* a full eventfd is readable as well */
}

static enum wire_status hello(struct session *session, struct message *answer)
{
	struct pmem_view view = pmem_look(&session->store->pmem);
	unsigned int mtu = link_path_mtu(&session->link);

	if (session->needed_mtu && mtu != session->needed_mtu) {
		answer->length = session->needed_mtu;
		return WIRE_BAD_MTU;
	}
	if (view.gate != PMEM_SERVING)
		return WIRE_BUSY;
	answer->path_mtu = session->needed_mtu;
	answer->range = view.head;
	answer->generation = view.generation;
	answer->store_size = session->store->pmem.layout.size;
	return WIRE_OK;
}

static enum wire_status reserve(struct session *session, const struct message *request,
				struct message *answer)
{
	struct store *store = session->store;
	uint64_t room = store->pmem.layout.size - store->pmem.layout.data_offset;
	enum wire_status status;

	store_cancel(store, &session->ticket);
	if (request->length > room) {
		answer->length = room;
		return WIRE_FULL;
	}
	status = store_reserve(store, request->name, request->length, &session->ticket,
			       &answer->length);
	if (status == WIRE_OK) {
		answer->length = request->length;
		answer->sequence = session->ticket.number;
		answer->generation = session->ticket.generation;
		answer->range = session->ticket.range;
	}
	return status;
}

static enum wire_status commit(struct session *session, const struct message *request)
{
	struct ticket *ticket = &session->ticket;

	if (ticket->number == 0 || request->sequence != ticket->number ||
	    request->generation != ticket->generation || request->length != ticket->length)
		return WIRE_BAD_REQUEST;
	return store_commit(session->store, ticket, &request->sum, &session->scratch);
}

static enum wire_status lookup(struct session *session, const struct message *request,
			       struct message *answer)
{
	struct entry entry;
	enum wire_status status = store_lookup(session->store, request->name, &entry,
					       &answer->range, &answer->generation);

	if (status == WIRE_OK) {
		answer->sequence = entry.sequence;
		answer->length = entry.length;
		answer->sum = entry.sum;
	}
	return status;
}

static int answer_to(struct session *session, const struct message *request)
{
	struct message answer = { .type = request->type, .answer = true, .id = request->id };

	if (request->answer || request->status != WIRE_OK)
		return -EPROTO;
	switch (request->type) {
	case WIRE_HELLO:
		answer.status = hello(session, &answer);
		break;
	case WIRE_RESERVE:
		answer.status = reserve(session, request, &answer);
		break;
	case WIRE_COMMIT:
		answer.status = commit(session, request);
		break;
	case WIRE_LOOKUP:
		answer.status = lookup(session, request, &answer);
		if (answer.status != WIRE_OK)
			answer.range = (struct wire_range){ 0 };
		break;
	case WIRE_REMOVE:
		answer.status = store_remove(session->store, request->name);
		break;
	}
	if (store_failed(session->store))
		wake_server(session);
	return link_send(&session->link, &answer);
}

/* Until the connection ends or the peer sends something that is no request. */
static void serve(struct session *session)
{
	enum link_event event;
	struct message request;

	while (link_wait(&session->link, -1, IDLE_MS, &event, &request) == 0) {
		if (event != LINK_MESSAGE || answer_to(session, &request) != 0)
			break;
	}
}

static void *run(void *arg)
{
	struct session *session = arg;
	struct rdma_conn_param parameters = link_parameters();

	if (link_make(&session->link, session->device) == 0) {
		if (rdma_accept(session->id, &parameters) == 0)
			serve(session);
		link_break(&session->link);
		link_unmake(&session->link);
	} else {
		rdma_reject(session->id, NULL, 0);
	}
	store_cancel(session->store, &session->ticket);
	atomic_store(&session->ended, true);
	wake_server(session);
	return NULL;
}

struct session *session_start(struct store *store, struct device *device, struct rdma_cm_id *id,
			      unsigned int needed_mtu, int wake_fd)
{
	struct session *session = calloc(1, sizeof(*session));

	if (!session)
		return NULL;
	session->store = store;
	session->device = device;
	session->id = id;
	session->needed_mtu = needed_mtu;
	session->wake_fd = wake_fd;
	link_init(&session->link, id);
	if (scratch_make(&session->scratch) != 0 ||
	    pthread_create(&session->thread, NULL, run, session) != 0) {
		scratch_free(&session->scratch);
		free(session);
		return NULL;
	}
	return session;
}

void session_break(struct session *session)
{
	link_break(&session->link);
}

void session_join(struct session *session)
{
	pthread_join(session->thread, NULL);
	rdma_destroy_id(session->id);
	scratch_free(&session->scratch);
	free(session);
}
