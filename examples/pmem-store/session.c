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
#define MAX_SESSIONS 64u

struct session {
	struct session *next;
	struct sessions *all;
	struct shelf *shelf;
	struct rdma_cm_id *id;
	struct link link;
	struct scratch scratch;
	struct ticket ticket;
};

static void wake_server(const struct session *session)
{
	uint64_t one = 1;
	ssize_t ignored = write(session->all->wake_fd, &one, sizeof(one));

	(void)ignored; /* a full eventfd is readable as well */
}

static enum wire_status hello(struct session *session, struct message *answer)
{
	unsigned int mtu = link_path_mtu(&session->link);

	if (session->all->needed_mtu && mtu != session->all->needed_mtu) {
		answer->length = session->all->needed_mtu;
		return WIRE_BAD_MTU;
	}
	answer->path_mtu = session->all->needed_mtu;
	answer->file = session->shelf->count;
	answer->sequence = session->shelf->moves;
	answer->store_size = shelf_largest(session->shelf);
	return WIRE_OK;
}

static enum wire_status where_is_index(struct session *session, const struct message *request,
				       struct message *answer)
{
	const struct store *store;
	struct pmem_view view;

	if (request->file >= session->shelf->count)
		return WIRE_BAD_REQUEST;
	store = &session->shelf->stores[request->file];
	view = pmem_look(&session->shelf->stores[request->file].pmem);
	if (view.gate != PMEM_SERVING)
		return WIRE_BUSY;
	answer->file = request->file;
	answer->range = view.head;
	answer->generation = view.generation;
	answer->store_size = store->pmem.layout.size;
	return WIRE_OK;
}

static enum wire_status reserve(struct session *session, const struct message *request,
				struct message *answer)
{
	enum wire_status status;

	store_cancel(&session->ticket);
	status = shelf_reserve(session->shelf, request->name, request->length, &session->ticket,
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
	return shelf_commit(session->shelf, ticket, &request->sum, &session->scratch);
}

static enum wire_status lookup(struct session *session, const struct message *request,
			       struct message *answer)
{
	struct entry entry;
	enum wire_status status = shelf_lookup(session->shelf, request->name, &entry,
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
		answer.status = shelf_remove(session->shelf, request->name);
		break;
	case WIRE_INDEX:
		answer.status = where_is_index(session, request, &answer);
		break;
	}
	if (shelf_failed(session->shelf))
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

/* Out of the list first: after it sessions_break() knows the id no more. */
static void end(struct session *session)
{
	struct sessions *all = session->all;
	struct session **link = &all->first;

	pthread_mutex_lock(&all->lock);
	while (*link != session)
		link = &(*link)->next;
	*link = session->next;
	pthread_mutex_unlock(&all->lock);
	rdma_destroy_id(session->id); /* may wait, which the main thread must not */
	scratch_free(&session->scratch);
	free(session);
	pthread_mutex_lock(&all->lock);
	all->count--;
	pthread_cond_broadcast(&all->ended);
	pthread_mutex_unlock(&all->lock);
}

static void *run(void *arg)
{
	struct session *session = arg;
	struct rdma_conn_param parameters = link_parameters();

	if (link_make(&session->link, session->all->device) == 0) {
		if (rdma_accept(session->id, &parameters) == 0)
			serve(session);
		link_break(&session->link);
		link_unmake(&session->link);
	} else {
		rdma_reject(session->id, NULL, 0);
	}
	store_cancel(&session->ticket);
	end(session);
	return NULL;
}

static struct session *make(struct sessions *all, struct rdma_cm_id *id)
{
	struct session *session = calloc(1, sizeof(*session));

	if (!session)
		return NULL;
	session->all = all;
	session->shelf = all->shelf;
	session->id = id;
	link_init(&session->link, id);
	if (scratch_make(&session->scratch) == 0)
		return session;
	free(session);
	return NULL;
}

/* The list is locked. */
static bool start(struct sessions *all, struct rdma_cm_id *id)
{
	struct session *session;
	pthread_attr_t detached;
	pthread_t thread;
	bool ok;

	/* on another device our keys mean nothing */
	if (id->verbs != all->device->verbs || all->count == MAX_SESSIONS)
		return false;
	session = make(all, id);
	if (!session)
		return false;
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	ok = pthread_create(&thread, &detached, run, session) == 0;
	pthread_attr_destroy(&detached);
	if (!ok) {
		scratch_free(&session->scratch);
		free(session);
		return false;
	}
	session->next = all->first;
	all->first = session;
	all->count++;
	return true;
}

void sessions_init(struct sessions *sessions, struct shelf *shelf, struct device *device,
		   int wake_fd)
{
	*sessions = (struct sessions){ .shelf = shelf, .device = device, .wake_fd = wake_fd };
	pthread_mutex_init(&sessions->lock, NULL);
	pthread_cond_init(&sessions->ended, NULL);
}

void sessions_start(struct sessions *sessions, struct rdma_cm_id *id)
{
	bool started;

	pthread_mutex_lock(&sessions->lock);
	started = start(sessions, id);
	pthread_mutex_unlock(&sessions->lock);
	if (!started) {
		rdma_reject(id, NULL, 0);
		rdma_destroy_id(id);
	}
}

void sessions_break(struct sessions *sessions, const struct rdma_cm_id *id)
{
	pthread_mutex_lock(&sessions->lock);
	for (struct session *session = sessions->first; session; session = session->next) {
		if (session->id == id)
			link_break(&session->link);
	}
	pthread_mutex_unlock(&sessions->lock);
}

void sessions_end(struct sessions *sessions)
{
	pthread_mutex_lock(&sessions->lock);
	for (struct session *session = sessions->first; session; session = session->next)
		link_break(&session->link);
	while (sessions->count > 0)
		pthread_cond_wait(&sessions->ended, &sessions->lock);
	pthread_mutex_unlock(&sessions->lock);
}
