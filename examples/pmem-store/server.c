/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server.c -- serve files until a signal ends it.
 *
 * The main thread answers to breaks and must never wait for a disk or a peer.
 * Sessions and recovery, which do, have threads of their own.
 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <rdma/rdma_cma.h>

#include "address.h"
#include "files.h"
#include "say.h"
#include "session.h"

#define BACKLOG 16
struct server {
	const struct serve_options *options;
	struct device device;
	struct files files;
	struct rdma_event_channel *channel;
	struct rdma_cm_id *listener;
	struct sessions sessions;
	int wake_fd;
	int signal_fd;
	bool listening;
	bool stop;
	int status;
};

static void give_up(struct server *server, int status)
{
	server->stop = true;
	server->status = status;
}

static void listen_now(struct server *server)
{
	if (rdma_listen(server->listener, BACKLOG) != 0) {
		complain("cannot listen: %s", strerror(errno));
		give_up(server, 1);
		return;
	}
	server->listening = true;
	say("ready: port %u", ntohs(rdma_get_src_port(server->listener)));
}

static void handle_file_events(struct server *server)
{
	struct pinreg_event event = { .size = sizeof(event) };

	while (pinreg_domain_next_event(server->device.domain, &event) == 0)
		files_on_event(&server->files, &event);
	if (server->files.failed)
		give_up(server, 1);
}

/* ---- connections ------------------------------------------------------------ */

static void handle_connections(struct server *server)
{
	struct rdma_cm_event *event;

	while (rdma_get_cm_event(server->channel, &event) == 0) {
		enum rdma_cm_event_type type = event->event;
		struct rdma_cm_id *id = event->id;

		rdma_ack_cm_event(event); /* a session that ends waits for this */
		if (type == RDMA_CM_EVENT_CONNECT_REQUEST) {
			sessions_start(&server->sessions, id);
		} else if (type == RDMA_CM_EVENT_DEVICE_REMOVAL) {
			complain("the device goes away");
			give_up(server, 1);
		} else if (type != RDMA_CM_EVENT_ESTABLISHED &&
			   type != RDMA_CM_EVENT_TIMEWAIT_EXIT) {
			sessions_break(&server->sessions, id);
		}
	}
}

/* ---- from the start to the end ----------------------------------------------- */

static void handle_wake(struct server *server)
{
	uint64_t count;
	ssize_t ignored = read(server->wake_fd, &count, sizeof(count));

	(void)ignored;
	files_on_wake(&server->files);
	if (server->files.failed)
		give_up(server, 1);
	else if (server->files.ready && !server->listening)
		listen_now(server);
}

static void loop(struct server *server)
{
	struct pollfd fds[] = {
		{ .fd = pinreg_domain_event_fd(server->device.domain), .events = POLLIN },
		{ .fd = server->channel->fd, .events = POLLIN },
		{ .fd = server->wake_fd, .events = POLLIN },
		{ .fd = server->signal_fd, .events = POLLIN },
	};

	while (!server->stop) {
		if (poll(fds, 4, -1) < 0 && errno != EINTR) {
			give_up(server, 1);
			break;
		}
		if (fds[0].revents)
			handle_file_events(server);
		if (fds[1].revents)
			handle_connections(server);
		if (fds[2].revents)
			handle_wake(server);
		if (fds[3].revents)
			give_up(server, 0);
	}
}

static int open_endpoints(struct server *server)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	/* before there is any thread that could take them */
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	server->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	server->channel = rdma_create_event_channel();
	if (server->signal_fd < 0 || server->wake_fd < 0 || !server->channel ||
	    fcntl(server->channel->fd, F_SETFL, O_NONBLOCK) != 0)
		return -errno;
	if (rdma_create_id(server->channel, &server->listener, NULL, RDMA_PS_TCP) != 0)
		return -errno;
	return address_bind(server->listener, server->options->addr, server->options->port);
}

static int open_device(struct server *server)
{
	struct ibv_context *verbs = server->listener->verbs; /* of the address, if one is given */

	if (!verbs)
		verbs = device_first();
	return verbs ? device_open(&server->device, verbs, SERVED_QUIESCE_MS) : -ENODEV;
}

static void print_trust(struct server *server)
{
	struct pinreg_trust_report report = { .size = sizeof(report) };
	int ret = pinreg_domain_test_odp(server->device.domain, &report);

	if (ret) {
		say("trust: not tested: %s", strerror(-ret));
		return;
	}
	if (report.cases == 0) {
		say("trust: %s: the device has no on-demand paging, or not of the needed kind",
		    pinreg_trust_name(report.trust));
		return;
	}
	say("trust: %s at path MTU %u: %u of %u transfers wrong, %llu of %llu bytes",
	    pinreg_trust_name(report.trust), report.mtu, report.cases_wrong, report.cases,
	    (unsigned long long)report.bytes_wrong, (unsigned long long)report.bytes);
}

static void close_all(struct server *server)
{
	if (server->sessions.renewal)
		sessions_end(&server->sessions);
	files_close(&server->files);
	if (server->listener)
		rdma_destroy_id(server->listener);
	device_close(&server->device);
	if (server->channel)
		rdma_destroy_event_channel(server->channel);
	close(server->wake_fd);
	close(server->signal_fd);
}

int server_run(const struct serve_options *options)
{
	struct server server = { .options = options, .wake_fd = -1, .signal_fd = -1 };
	int ret = open_endpoints(&server);

	files_init(&server.files, options, &server.sessions, server.wake_fd);
	if (ret == 0)
		ret = sessions_init(&server.sessions, &server.files.shelf, &server.device,
				    server.wake_fd);
	if (ret == 0)
		ret = open_device(&server);
	if (ret) {
		complain("no RDMA device to serve on: %s", strerror(-ret));
		server.status = EXIT_REFUSED;
	} else {
		print_trust(&server);
		server.status = files_open(&server.files, server.device.domain);
		server.sessions.needed_mtu = files_needed_mtu(&server.files);
		if (server.status == 0)
			loop(&server);
	}
	close_all(&server);
	if (server.status == 0)
		say("closed");
	return server.status;
}
