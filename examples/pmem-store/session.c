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
	struct pushes pushes; /* all->lock */
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
	return WIRE_OK;
}

/* The keys themselves are pushed, behind the answer. */
static enum wire_status describe_file(struct session *session, const struct message *request,
				      struct message *answer)
{
	struct store *store = &session->shelf->stores[request->file];

	answer->file = request->file;
	answer->store_size = store->pmem.layout.size;
	answer->index_id = store->pmem.head_id;
	answer->data_id = store->pmem.data_id;
	return WIRE_OK;
}

static void push_keys(struct session *session, unsigned int file)
{
	pthread_mutex_lock(&session->all->lock);
	session->pushes.wanted[file] = true;
	pushes_serve(&session->pushes, file, &session->shelf->stores[file].pmem);
	pthread_mutex_unlock(&session->all->lock);
}

static void say_where(const struct session *session, const struct place *place,
		      struct message *answer)
{
	answer->file = (uint32_t)(place->store - session->shelf->stores);
	answer->generation = place->generation;
	answer->offset = place->offset;
	answer->span = place->span;
}

static enum wire_status reserve(struct session *session, const struct message *request,
				struct message *answer, struct place *place)
{
	enum wire_status status;

	store_cancel(&session->ticket);
	status = shelf_reserve(session->shelf, request->name, request->length, &session->ticket,
			       place, &answer->length);
	if (status == WIRE_OK) {
		*place = session->ticket.place;
		answer->length = request->length;
		answer->sequence = session->ticket.number;
	}
	return status;
}

static enum wire_status commit(struct session *session, const struct message *request,
			       struct place *place)
{
	struct ticket *ticket = &session->ticket;

	if (ticket->number == 0 || request->sequence != ticket->number ||
	    request->generation != ticket->place.generation || request->length != ticket->length)
		return WIRE_BAD_REQUEST;
	return shelf_commit(session->shelf, ticket, &request->sum, &session->scratch, place);
}

static enum wire_status lookup(struct session *session, const struct message *request,
			       struct message *answer, struct place *place)
{
	struct entry entry;
	enum wire_status status = shelf_lookup(session->shelf, request->name, &entry, place);

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
	struct place place = { 0 };
	int ret;

	if (request->answer || request->status != WIRE_OK)
		return -EPROTO;
	switch (request->type) {
	case WIRE_HELLO:
		answer.status = hello(session, &answer);
		break;
	case WIRE_FILE:
		if (request->file >= session->shelf->count)
			return -EPROTO;
		answer.status = describe_file(session, request, &answer);
		break;
	case WIRE_RESERVE:
		answer.status = reserve(session, request, &answer, &place);
		break;
	case WIRE_COMMIT:
		answer.status = commit(session, request, &place);
		break;
	case WIRE_LOOKUP:
		answer.status = lookup(session, request, &answer, &place);
		break;
	case WIRE_REMOVE:
		answer.status = shelf_remove(session->shelf, request->name, &place);
		break;
	}
	if (place.store)
		say_where(session, &place, &answer);
	if (shelf_failed(session->shelf))
		wake_server(session);
	ret = link_send(&session->link, &answer);
	if (ret == 0 && request->type == WIRE_FILE)
		push_keys(session, request->file);
	return ret;
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

static void end_pushes(struct session *session)
{
	pthread_mutex_lock(&session->all->lock);
	pushes_end(&session->pushes);
	pthread_mutex_unlock(&session->all->lock);
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
		end_pushes(session);
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
	session->pushes.renewal = all->renewal;
	session->pushes.link = &session->link;
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

int sessions_init(struct sessions *sessions, struct shelf *shelf, struct device *device,
		  int wake_fd)
{
	*sessions = (struct sessions){ .shelf = shelf, .device = device, .wake_fd = wake_fd };
	pthread_mutex_init(&sessions->lock, NULL);
	pthread_cond_init(&sessions->ended, NULL);
	return pinreg_renewal_open(&sessions->renewal);
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

void sessions_tell(struct sessions *sessions, const struct pinreg_event *event)
{
	pinreg_renewal_event(sessions->renewal, event); /* link_push() sees to what fails */
}

void sessions_serve(struct sessions *sessions, unsigned int file)
{
	pthread_mutex_lock(&sessions->lock);
	for (struct session *session = sessions->first; session; session = session->next)
		pushes_serve(&session->pushes, file, &sessions->shelf->stores[file].pmem);
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
	pinreg_renewal_close(sessions->renewal);
}
