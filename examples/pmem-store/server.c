/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server.c -- serve FILE until a signal ends it.
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
#include <time.h>
#include <unistd.h>

#include <rdma/rdma_cma.h>

#include "address.h"
#include "recovery.h"
#include "say.h"
#include "session.h"

#define BACKLOG 16
/* From a break to the fence, should a copy out of the mapping be slow to end. */
#define QUIESCE_MS 50

struct server {
	const struct serve_options *options;
	struct device device;
	struct store store;
	struct rdma_event_channel *channel;
	struct rdma_cm_id *listener;
	struct sessions sessions;
	struct recovery_thread recovery;
	uint32_t rkey; /* as it was last printed */
	int wake_fd;
	int signal_fd;
	bool listening;
	bool file_open;
	bool stop;
	int status;
};

static void give_up(struct server *server, int status)
{
	server->stop = true;
	server->status = status;
}

/* ---- the file's events ------------------------------------------------------ */

static void print_keys(struct server *server)
{
	struct pmem_view view = pmem_look(&server->store.pmem);

	say("keys: data rkey 0x%x, index rkey 0x%x, generation %llu", view.data.rkey,
	    view.head.rkey, (unsigned long long)view.generation);
	server->rkey = view.data.rkey;
}

static double ms_until(uint64_t monotonic_ns)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return ((double)monotonic_ns - (double)now.tv_sec * 1e9 - (double)now.tv_nsec) / 1e6;
}

static void on_break(struct server *server, const struct pinreg_event *event)
{
	static const char *const who[] = {
		[PINREG_BREAKER_NONE] = "somebody wants the file",
		[PINREG_BREAKER_READER] = "somebody opens the file for reading",
		[PINREG_BREAKER_WRITER] = "somebody opens the file for writing or truncates it",
	};
	double drained_ms;

	pmem_shut(&server->store.pmem);
	drained_ms = QUIESCE_MS - ms_until(event->deadline_ns);
	pinreg_file_ack(event->file, event->generation); /* first let go, then talk */
	say("BREAK: %s (generation %llu); drained after %.3f ms",
	    who[event->breaker <= PINREG_BREAKER_WRITER ? event->breaker : 0],
	    (unsigned long long)event->generation, drained_ms);
}

static void on_restored(struct server *server, const struct pinreg_event *event)
{
	uint32_t old = server->rkey;
	int ret = pmem_back(&server->store.pmem);
	struct pmem_view view = pmem_look(&server->store.pmem);

	say("RESTORED: after %.1f ms, rkey 0x%x -> 0x%x, generation %llu, size %llu -> %llu, "
	    "%llu bytes zeroed",
	    (double)event->away_ns / 1e6, old, view.data.rkey,
	    (unsigned long long)event->generation, (unsigned long long)event->old_size,
	    (unsigned long long)event->new_size, (unsigned long long)event->zeroed);
	server->rkey = view.data.rkey;
	if (ret == 0)
		ret = recovery_start(&server->recovery, &server->store, server->wake_fd);
	if (ret && ret != -EAGAIN) { /* away again: another event will come */
		complain("the file came back without keys: %s", strerror(-ret));
		give_up(server, 1);
	}
}

static void on_lost(struct server *server, const struct pinreg_event *event)
{
	char sentence[512];

	pmem_shut(&server->store.pmem);
	pinreg_why_describe(&event->why, sentence, sizeof(sentence));
	say("LOST: %s", sentence);
	give_up(server, 1);
}

/* FENCED follows; what was stored meanwhile may be in somebody else's way. */
static void on_lease_lost(const struct pinreg_event *event)
{
	char sentence[512];

	pinreg_why_describe(&event->why, sentence, sizeof(sentence));
	complain("LEASE LOST: %s", sentence);
}

static void handle_file_events(struct server *server)
{
	struct pinreg_event event = { .size = sizeof(event) };

	while (pinreg_domain_next_event(server->device.domain, &event) == 0) {
		if (event.missed)
			say("(%u events were dropped)", event.missed);
		switch (event.type) {
		case PINREG_EVENT_BREAK:
			on_break(server, &event);
			break;
		case PINREG_EVENT_FENCED:
			pmem_shut(&server->store.pmem);
			say("FENCED: let go after %.3f ms", (double)event.held_up_ns / 1e6);
			break;
		case PINREG_EVENT_RESTORED:
			on_restored(server, &event);
			break;
		case PINREG_EVENT_LOST:
			on_lost(server, &event);
			break;
		case PINREG_EVENT_LEASE_LOST:
			on_lease_lost(&event);
			break;
		case PINREG_EVENT_DEVICE: /* neither was asked for */
		case PINREG_EVENT_ADMITTED:
			break;
		}
	}
}

/* ---- recovery --------------------------------------------------------------- */

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

static void handle_recovery(struct server *server)
{
	struct recovery *found = &server->recovery.found;
	int ret;

	if (!recovery_ended(&server->recovery, &ret))
		return;
	if (ret == -EAGAIN) {
		if (pmem_look(&server->store.pmem).gate == PMEM_CHECKING &&
		    recovery_start(&server->recovery, &server->store, server->wake_fd) != 0)
			give_up(server, 1);
		return; /* or it goes on when the file is back */
	}
	if (ret) {
		complain("%s", found->problem);
		give_up(server, 1);
		return;
	}
	recovery_print(found);
	if (!server->listening)
		listen_now(server);
	else
		say("serving again");
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

/* FILE may have any size when somebody changed it while no server ran. */
static uint64_t store_size(const struct serve_options *options)
{
	return options->size ? options->size : mirror_size(options->mirror_path);
}

/* ---- from the start to the end ----------------------------------------------- */

static void handle_wake(struct server *server)
{
	uint64_t count;
	ssize_t ignored = read(server->wake_fd, &count, sizeof(count));

	(void)ignored;
	handle_recovery(server);
	if (store_failed(&server->store)) {
		complain("%s or its mirror cannot be made durable: %s", server->options->path,
			 strerror(-store_failed(&server->store)));
		give_up(server, 1);
	}
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
	return verbs ? device_open(&server->device, verbs, QUIESCE_MS) : -ENODEV;
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

static int open_store(struct server *server)
{
	struct pinreg_why why = { 0 };
	char sentence[512];
	int ret = pmem_open(&server->store.pmem, server->device.domain, server->options->path,
			    store_size(server->options), server->options->granularity, &why);

	if (ret) {
		if (why.reason == PINREG_REASON_NONE)
			complain("%s: %s", server->options->path, strerror(-ret));
		else if (pinreg_why_describe(&why, sentence, sizeof(sentence)) > 0)
			complain("%s: %s", server->options->path, sentence);
		return EXIT_REFUSED;
	}
	server->file_open = true;
	server->sessions.needed_mtu = server->store.pmem.needed_mtu;
	if (stat(server->options->path, &server->store.identity) != 0) {
		complain("%s: %s", server->options->path, strerror(errno));
		return 1;
	}
	print_keys(server);
	ret = recovery_start(&server->recovery, &server->store, server->wake_fd);
	return ret ? 1 : 0;
}

static void close_all(struct server *server)
{
	sessions_end(&server->sessions);
	recovery_stop(&server->recovery, &server->store);
	if (server->file_open && pmem_close(&server->store.pmem) != 0)
		complain("the file could not be closed cleanly");
	store_close(&server->store);
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
	int ret;

	store_init(&server.store, options);
	ret = open_endpoints(&server);
	sessions_init(&server.sessions, &server.store, &server.device, server.wake_fd);
	if (ret == 0)
		ret = open_device(&server);
	if (ret) {
		complain("no RDMA device to serve on: %s", strerror(-ret));
		server.status = EXIT_REFUSED;
	} else {
		print_trust(&server);
		server.status = open_store(&server);
		if (server.status == 0)
			loop(&server);
	}
	close_all(&server);
	if (server.status == 0)
		say("closed");
	return server.status;
}
