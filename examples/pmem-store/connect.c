/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * connect.c -- the client's connection: made, used for calls and transfers, lost.
 */
#include "connect.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>

#include "address.h"
#include "say.h"

#define PIECE (1024u * 1024u) /* of one work request */
#define STEP_MS 5000	      /* for one step of connecting */
#define ANSWER_MS 60000

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

static int say_hello(struct client *client)
{
	struct message request = { .type = WIRE_HELLO };
	int ret = connect_call(client, &request, &client->hello);

	if (ret || client->hello.status != WIRE_OK)
		return ret;
	/* both ends of a path have one MTU, but each is told its own */
	if (client->hello.path_mtu && link_path_mtu(&client->link) != client->hello.path_mtu)
		client->hello.status = WIRE_BAD_MTU;
	return 0;
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

static int wait_for(struct client *client, enum link_event wanted, struct message *message)
{
	enum link_event event;
	int ret = link_wait(&client->link, client->channel->fd, ANSWER_MS, &event, message);

	if (ret == -ECANCELED)
		return -ECONNRESET; /* the connection manager has bad news */
	return ret ? ret : event == wanted ? 0 : -EBADMSG;
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
	const struct wire_range *range;
	uint8_t *data;
	uint64_t length;
};

static uint64_t piece_bytes(uint64_t whole, uint64_t piece)
{
	uint64_t start = piece * PIECE;

	return start >= whole ? 0 : whole - start < PIECE ? whole - start : PIECE;
}

static int post_piece(struct client *client, const struct transfer *t, uint64_t piece)
{
	uint8_t *slot = client->window + piece % LINK_DATA_DEPTH * PIECE;
	uint64_t pages = piece_bytes(t->range->length, piece);
	uint64_t bytes = piece_bytes(t->length, piece);

	if (t->write) {
		memcpy(slot, t->data + piece * PIECE, bytes);
		memset(slot + bytes, 0, pages - bytes);
	}
	return link_rdma(&client->link, t->write, slot, client->lkey,
			 t->range->addr + piece * PIECE, t->range->rkey, (uint32_t)pages);
}

int connect_transfer(struct client *client, bool write, const struct wire_range *range, void *data,
		     uint64_t length)
{
	struct transfer t = { write, range, data, length };
	uint64_t pieces = (range->length + PIECE - 1) / PIECE;
	uint64_t posted = 0;
	int ret = 0;

	for (uint64_t done = 0; ret == 0 && done < pieces; done++) {
		struct message message;

		while (ret == 0 && posted < pieces && posted - done < LINK_DATA_DEPTH)
			ret = post_piece(client, &t, posted++);
		if (ret == 0)
			ret = wait_for(client, LINK_DATA, &message);
		if (ret == 0 && !write)
			memcpy(t.data + done * PIECE,
			       client->window + done % LINK_DATA_DEPTH * PIECE,
			       piece_bytes(length, done));
	}
	return ret;
}

void connect_free_window(struct client *client)
{
	pinreg_region_deregister(client->region);
	if (client->window)
		munmap(client->window, LINK_DATA_DEPTH * PIECE);
	client->region = NULL;
	client->window = NULL;
}
