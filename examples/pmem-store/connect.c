/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * connect.c -- the client's connection: made, used for calls and transfers, lost.
 */
#include "connect.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "address.h"
#include "say.h"

#define PIECE (1024u * 1024u) /* of one work request */
#define STEP_MS 5000	      /* for one step of connecting */
#define ANSWER_MS 60000
#define FILES_AT_MOST 1024u

uint64_t connect_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int make_window(struct client *client)
{
	struct pinreg_region_opts opts = { .size = sizeof(opts), .access = IBV_ACCESS_LOCAL_WRITE };
	struct pinreg_keys keys = { .size = sizeof(keys) };
	struct pinreg_why why;
	char sentence[512];
	int ret;

	client->window = mmap(NULL, LINK_DATA_DEPTH * PIECE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (client->window == MAP_FAILED) {
		client->window = NULL;
		return -ENOMEM;
	}
	ret = pinreg_region_register(client->device.domain, client->window, LINK_DATA_DEPTH * PIECE,
				     &opts, &why, &client->region);
	if (ret) {
		pinreg_why_describe(&why, sentence, sizeof(sentence));
		complain("no buffer: %s", sentence);
		return ret;
	}
	ret = pinreg_region_keys(client->region, &keys);
	client->lkey = keys.lkey;
	return ret;
}

/* The next event of the connection manager must be this one. */
static int expect(struct client *client, enum rdma_cm_event_type wanted)
{
	struct pollfd fd = { .fd = client->channel->fd, .events = POLLIN };
	struct rdma_cm_event *event;
	int ret;

	if (poll(&fd, 1, STEP_MS) <= 0)
		return -ETIMEDOUT;
	if (rdma_get_cm_event(client->channel, &event) != 0)
		return -errno;
	ret = event->event == wanted			 ? 0
	      : event->event == RDMA_CM_EVENT_REJECTED	 ? -ECONNREFUSED
	      : event->event == RDMA_CM_EVENT_ADDR_ERROR ? -EADDRNOTAVAIL
							 : -ECONNRESET;
	rdma_ack_cm_event(event);
	return ret;
}

static int make_id(struct client *client)
{
	int ret;

	client->channel = rdma_create_event_channel();
	if (!client->channel)
		return -errno;
	if (rdma_create_id(client->channel, &client->id, NULL, RDMA_PS_TCP) != 0)
		return -errno;
	ret = address_resolve(client->id, client->addr, client->port, STEP_MS);
	if (ret == 0)
		ret = expect(client, RDMA_CM_EVENT_ADDR_RESOLVED);
	if (ret == 0 && rdma_resolve_route(client->id, STEP_MS) != 0)
		ret = -errno;
	return ret ? ret : expect(client, RDMA_CM_EVENT_ROUTE_RESOLVED);
}

/* The device stays from one connection to the next, and the window with it. */
static int take_device(struct client *client)
{
	int ret;

	if (client->device.verbs)
		return client->device.verbs == client->id->verbs ? 0 : -ENODEV;
	ret = device_open(&client->device, client->id->verbs, 0);
	return ret ? ret : make_window(client);
}

/* After the answer about a file its keys come by themselves, then and whenever they change. */
static int learn_files(struct client *client)
{
	int ret = remotes_resize(&client->remotes, client->hello.file);

	for (uint32_t file = 0; ret == 0 && file < client->remotes.count; file++) {
		struct message request = { .type = WIRE_FILE, .file = file };
		struct message answer;

		ret = connect_call(client, &request, &answer);
		if (ret == 0 && answer.status != WIRE_OK)
			ret = -EBADMSG;
		if (ret == 0)
			ret = remotes_describe(&client->remotes, file, &answer);
	}
	return ret;
}

static int say_hello(struct client *client)
{
	struct message request = { .type = WIRE_HELLO };
	int ret = connect_call(client, &request, &client->hello);

	if (ret || client->hello.status != WIRE_OK)
		return ret;
	/* both ends of a path have one MTU, but each is told its own */
	if (client->hello.path_mtu && link_path_mtu(&client->link) != client->hello.path_mtu) {
		client->hello.status = WIRE_BAD_MTU;
		return 0;
	}
	if (client->hello.file == 0 || client->hello.file > FILES_AT_MOST)
		return -EBADMSG;
	return learn_files(client);
}

int connect_now(struct client *client)
{
	struct rdma_conn_param parameters = link_parameters();
	int ret = make_id(client);

	if (ret == 0)
		ret = take_device(client);
	if (ret == 0) {
		link_init(&client->link, client->id);
		client->linked = true;
		ret = link_make(&client->link, &client->device);
	}
	if (ret == 0 && rdma_connect(client->id, &parameters) != 0)
		ret = -errno;
	if (ret == 0)
		ret = expect(client, RDMA_CM_EVENT_ESTABLISHED);
	if (ret == 0)
		ret = say_hello(client);
	client->connected = ret == 0 && client->hello.status == WIRE_OK;
	if (ret)
		connect_drop(client);
	return ret;
}

void connect_drop(struct client *client)
{
	if (client->linked) {
		link_break(&client->link);
		link_unmake(&client->link);
	}
	if (client->id)
		rdma_destroy_id(client->id);
	if (client->channel)
		rdma_destroy_event_channel(client->channel);
	client->linked = false;
	client->connected = false;
	client->id = NULL;
	client->channel = NULL;
}

static int wait_once(struct client *client, int timeout_ms, enum link_event *event,
		     struct message *message)
{
	int ret = link_wait(&client->link, client->channel->fd, timeout_ms, event, message);

	if (ret == 0 && *event == LINK_RENEWAL)
		ret = remotes_update(&client->remotes, client->link.descriptor);
	return ret == -ECANCELED ? -ECONNRESET /* the connection manager has bad news */ : ret;
}

/* Descriptors may come at any time before it. */
static int wait_for(struct client *client, enum link_event wanted, struct message *message)
{
	enum link_event event = LINK_RENEWAL;
	int ret = 0;

	while (ret == 0 && event == LINK_RENEWAL)
		ret = wait_once(client, ANSWER_MS, &event, message);
	return ret ? ret : event == wanted ? 0 : -EBADMSG;
}

int connect_await(struct client *client, uint32_t file, uint64_t generation,
		  unsigned int timeout_ms)
{
	uint64_t end = connect_clock_ms() + timeout_ms;
	struct message message;
	int result = 1;

	if (file >= client->remotes.count)
		return -EBADMSG;
	while (remotes_generation(&client->remotes, file) < generation) {
		uint64_t now = connect_clock_ms();
		enum link_event event;
		int ret = now < end ? wait_once(client, (int)(end - now), &event, &message)
				    : -ETIMEDOUT;

		if (ret == 0 && event != LINK_RENEWAL)
			ret = -EBADMSG;
		if (ret)
			return ret;
		result = 0;
	}
	return result;
}

int connect_call(struct client *client, struct message *request, struct message *answer)
{
	int ret;

	request->id = ++client->last_id;
	ret = link_send(&client->link, request);
	if (ret == 0)
		ret = wait_for(client, LINK_MESSAGE, answer);
	if (ret == 0 &&
	    (!answer->answer || answer->type != request->type || answer->id != request->id))
		ret = -EBADMSG;
	return ret;
}

/* One transfer; pieces are posted and completed in order. */
struct transfer {
	bool write;
	const struct span *span;
	uint8_t *data;
	uint64_t length;
};

static uint64_t piece_bytes(uint64_t whole, uint64_t piece)
{
	uint64_t start = piece * PIECE;

	return start >= whole ? 0 : whole - start < PIECE ? whole - start : PIECE;
}

/* Return also: 1, where the keys are not those of the span any more. */
static int post_piece(struct client *client, const struct transfer *t, uint64_t piece)
{
	uint8_t *slot = client->window + piece % LINK_DATA_DEPTH * PIECE;
	const struct span *span = t->span;
	uint64_t whole = piece_bytes(span->length, piece);
	uint64_t bytes = piece_bytes(t->length, piece);
	struct pinreg_descriptor now;

	if (remotes_get(&client->remotes, span->file, span->part, &now) != 0 ||
	    now.generation != span->generation)
		return 1;
	if (span->offset > now.length || span->length > now.length - span->offset)
		return -EBADMSG;
	if (t->write) {
		memcpy(slot, t->data + piece * PIECE, bytes);
		memset(slot + bytes, 0, whole - bytes);
	}
	return link_rdma(&client->link, t->write, slot, client->lkey,
			 now.addr + span->offset + piece * PIECE, now.rkey, (uint32_t)whole);
}

/* What is under way when the keys are taken back may still be done, or end the connection. */
int connect_transfer(struct client *client, bool write, const struct span *span, void *data,
		     uint64_t length)
{
	struct transfer t = { write, span, data, length };
	uint64_t pieces = (span->length + PIECE - 1) / PIECE;
	uint64_t posted = 0;
	int posting = 0;
	int ret = 0;

	for (uint64_t done = 0; done < pieces; done++) {
		struct message message;

		while (posting == 0 && posted < pieces && posted - done < LINK_DATA_DEPTH) {
			posting = post_piece(client, &t, posted);
			posted += posting == 0;
		}
		if (posting < 0 || posted == done)
			return posting;
		ret = wait_for(client, LINK_DATA, &message);
		if (ret == -EACCES)
			remotes_failed(&client->remotes, span->file, span->part, span->generation);
		if (ret)
			return ret;
		if (!write)
			memcpy(t.data + done * PIECE,
			       client->window + done % LINK_DATA_DEPTH * PIECE,
			       piece_bytes(length, done));
	}
	return 0;
}

void connect_free_window(struct client *client)
{
	pinreg_region_deregister(client->region);
	if (client->window)
		munmap(client->window, LINK_DATA_DEPTH * PIECE);
	client->region = NULL;
	client->window = NULL;
}
