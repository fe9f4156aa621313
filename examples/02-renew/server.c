/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server.c -- let peers write to a file, and tell them when their keys change.
 *
 * Usage: 02-renew-server FILE ADDRESS PORT
 * Ends at SIGTERM or SIGINT. Exit status: 0, 1 for a failure, 2 usage.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pinreg/pinreg.h>
#include <rdma/rdma_cma.h>

#define LENGTH (4u << 20) /* of a new file */

/* One connection. */
struct client {
	struct rdma_cm_id *id;
	struct pinreg_qp_channel channel;
	struct pinreg_subscription *subscription; /* NULL: not established yet */
};

static struct ibv_pd *pd;
static struct pinreg_domain *domain;
static struct pinreg_file *file;
static struct pinreg_region *region;
static struct pinreg_renewal *renewal;
static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

static int failed(const char *what, int status)
{
	fprintf(stderr, "%s: %s\n", what, strerror(-status));
	return 1;
}

static int open_file(const char *path)
{
	struct pinreg_file_opts prepare = { .size = sizeof(prepare),
					    .length = LENGTH,
					    .create = 1 };
	struct pinreg_region_opts pages = { .size = sizeof(pages),
					    .granularity = PINREG_GRANULARITY_PAGE };
	struct pinreg_why why;
	char sentence[512];
	int ret = pinreg_domain_open(pd, NULL, &domain);

	if (ret == 0)
		ret = pinreg_renewal_open(&renewal);
	if (ret)
		return failed("domain", ret);
	ret = pinreg_file_open(domain, AT_FDCWD, path, &prepare, &why, &file);
	if (ret == 0)
		ret = pinreg_file_register(file, 0, LENGTH, &pages, &why, &region);
	if (ret == 0)
		return 0;
	pinreg_why_describe(&why, sentence, sizeof(sentence));
	fprintf(stderr, "%s: %s\n", path, sentence);
	return 1;
}

/* A pinreg_send_function: what was sent before has completed, or its peer is gone. */
static int send_to(void *context, const void *message, size_t length)
{
	struct client *client = context;
	struct ibv_wc wc;

	while (ibv_poll_cq(client->id->send_cq, 1, &wc) > 0)
		;
	return pinreg_qp_send(&client->channel, message, length);
}

static int accept_client(struct rdma_cm_id *id)
{
	struct ibv_qp_init_attr attr = {
		.qp_type = IBV_QPT_RC,
		.cap = { .max_send_wr = 16,
			 .max_recv_wr = 1,
			 .max_send_sge = 1,
			 .max_recv_sge = 1,
			 .max_inline_data = PINREG_DESCRIPTOR_LENGTH },
	};
	/* as many reads and atomics as the peer may have under way with us */
	struct rdma_conn_param param = { .responder_resources = 1, .rnr_retry_count = 7 };
	struct client *client = calloc(1, sizeof(*client));

	if (!client)
		return -ENOMEM;
	client->id = id;
	id->context = client;
	if (rdma_create_qp(id, pd, &attr) || rdma_accept(id, &param))
		return -errno;
	client->channel =
		(struct pinreg_qp_channel){ .size = sizeof(client->channel), .qp = id->qp };
	return 0;
}

/* First nobody sends any more, then what he would send over may go. */
static void forget_client(struct rdma_cm_id *id)
{
	struct client *client = id->context;

	if (client)
		pinreg_renewal_unsubscribe(client->subscription);
	if (id->qp)
		rdma_destroy_qp(id);
	rdma_destroy_id(id);
	free(client);
}

static void connection_event(struct rdma_event_channel *channel)
{
	struct rdma_cm_event *event;

	if (rdma_get_cm_event(channel, &event))
		return;
	enum rdma_cm_event_type type = event->event;
	struct rdma_cm_id *id = event->id;
	rdma_ack_cm_event(event);

	int ret = 0;
	if (type == RDMA_CM_EVENT_CONNECT_REQUEST)
		ret = accept_client(id);
	else if (type == RDMA_CM_EVENT_ESTABLISHED)
		ret = pinreg_renewal_subscribe(renewal, region, send_to, id->context,
					       &((struct client *)id->context)->subscription);
	else if (type == RDMA_CM_EVENT_DISCONNECTED || type == RDMA_CM_EVENT_CONNECT_ERROR ||
		 type == RDMA_CM_EVENT_UNREACHABLE)
		ret = -ECONNRESET;
	if (ret)
		forget_client(id);
}

static void file_events(void)
{
	struct pinreg_event event = { .size = sizeof(event) };

	while (pinreg_domain_next_event(domain, &event) == 0) {
		printf("%s, generation %llu\n", pinreg_event_name(event.type),
		       (unsigned long long)event.generation);
		/* no pinreg_file_ack(): until the fence the peers may end what they do */
		pinreg_renewal_event(renewal, &event);
	}
}

static void serve(struct rdma_event_channel *channel)
{
	struct pollfd fds[] = { { .fd = channel->fd, .events = POLLIN },
				{ .fd = pinreg_domain_event_fd(domain), .events = POLLIN } };

	printf("ready\n");
	while (!stopped) {
		if (poll(fds, 2, 200) <= 0)
			continue;
		if (fds[1].revents)
			file_events();
		if (fds[0].revents)
			connection_event(channel);
	}
}

int main(int argc, char **argv)
{
	struct addrinfo *address;
	struct rdma_event_channel *channel = rdma_create_event_channel();
	struct rdma_cm_id *listener;

	if (argc != 4) {
		fprintf(stderr, "usage: %s FILE ADDRESS PORT\n", argv[0]);
		return 2;
	}
	setlinebuf(stdout);
	signal(SIGTERM, stop);
	signal(SIGINT, stop);
	if (getaddrinfo(argv[2], argv[3], NULL, &address))
		return failed(argv[2], -EINVAL);
	if (!channel || rdma_create_id(channel, &listener, NULL, RDMA_PS_TCP) ||
	    rdma_bind_addr(listener, address->ai_addr) || rdma_listen(listener, 8))
		return failed("listening", -errno);
	pd = ibv_alloc_pd(listener->verbs);
	if (!pd)
		return failed("protection domain", -errno);
	if (open_file(argv[1]))
		return 1;
	serve(channel);
	/* connections and their subscriptions end with the process, and so would the rest */
	return 0;
}
