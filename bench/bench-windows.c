/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench-windows.c -- what memory windows gain when a lease breaks.
 *
 * Two leased files alike, each with one region that a peer stores to before every
 * break: one through a window, one by the region's own key. So the fence of the first
 * ends a window, and that of the second a registration. Both files are broken in
 * turns, with no time to quiesce.
 *
 * fence: how long somebody who opens the file waits. return: from the release of the
 * lease to its return with keys, of which the one who opens it needs the same part
 * of both; the window is bound again after that, and the bind is counted too.
 *
 *   bench-windows DIRECTORY [staged]    staged: by a shadow, whatever the plan chooses
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <pinreg/pinreg.h>

#include "bench-lease.h"
#include "bench.h"
#include "device.h"
#include "fail.h"
#include "loop.h"

#define ROUNDS 51
#define STORE (64u << 10)

static void check(const char *what, int status)
{
	if (status)
		die(what, strerror(-status));
}

static struct pinreg_domain *domain;
static struct loop loop;
static struct ibv_mr *buffer; /* of the peer */
static struct breaker *breaker;

/* A leased file with one region, and what was measured of it. */
struct side {
	char path[256];
	bool windows;
	struct pinreg_file *file;
	struct pinreg_region *region;
	struct pinreg_window *window; /* NULL: none, or not bound */
	double fence_us[ROUNDS];
	double return_us[ROUNDS];
};

static void side_open(struct side *side, const char *directory, uint64_t length,
		      enum pinreg_method method)
{
	struct pinreg_file_opts file = {
		.size = sizeof(file),
		.length = length,
		.create = 1,
		.allow_page_cache = 1,
	};
	struct pinreg_region_opts pages = {
		.size = sizeof(pages),
		.granularity = PINREG_GRANULARITY_PAGE,
		.method = method,
		.windows = side->windows,
	};
	struct pinreg_why why;
	snprintf(side->path, sizeof(side->path), "%s/bench-windows-%d", directory, side->windows);
	if (pinreg_file_open(domain, AT_FDCWD, side->path, &file, &why, &side->file))
		refused(side->path, &why);
	if (pinreg_file_register(side->file, 0, 0, &pages, &why, &side->region))
		refused("pinreg_file_register", &why);
}

static void side_close(struct side *side)
{
	check("pinreg_window_close", pinreg_window_close(side->window));
	check("pinreg_region_deregister", pinreg_region_deregister(side->region));
	check("pinreg_file_close", pinreg_file_close(side->file));
	unlink(side->path);
}

/* What the owner does before the peer can go on. Microseconds. */
static double bind_again(struct side *side)
{
	if (!side->windows)
		return 0;
	uint64_t begun = bench_now_ns();
	check("pinreg_window_close", pinreg_window_close(side->window));
	side->window = NULL;
	check("pinreg_window_bind",
	      pinreg_window_bind(side->region, loop.owner, NULL, &side->window));
	loop_wait(&loop, "bind");
	return (double)(bench_now_ns() - begun) / 1000;
}

/* The key is good: the peer stores at both ends. */
static void use(struct side *side)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	if (side->windows)
		check("pinreg_window_keys", pinreg_window_keys(side->window, &keys));
	else
		check("pinreg_region_keys", pinreg_region_keys(side->region, &keys));
	loop_store(&loop, buffer, keys.addr, keys.rkey);
	loop_store(&loop, buffer, keys.addr + keys.length - STORE, keys.rkey);
}

/* Take events until the file is back. Microseconds that it was away. */
static double wait_for_return(void)
{
	struct pollfd poll_fd = { .fd = pinreg_domain_event_fd(domain), .events = POLLIN };
	struct pinreg_event event = { .size = sizeof(event) };
	while (poll(&poll_fd, 1, 60000) == 1) {
		while (!pinreg_domain_next_event(domain, &event)) {
			if (event.type == PINREG_EVENT_RESTORED)
				return (double)event.away_ns / 1000;
			if (event.type == PINREG_EVENT_LOST)
				refused("a file was lost", &event.why);
		}
	}
	die("a file", "did not come back within a minute");
}

static void side_break(struct side *side, size_t round)
{
	use(side);
	side->fence_us[round] = breaker_open(breaker, side->path) / 1000;
	side->return_us[round] = wait_for_return();
	side->return_us[round] += bind_again(side);
}

static void report(const char *what, const char *name, double *ours, double *other)
{
	char line[64];
	snprintf(line, sizeof(line), "%s-by-window-%s", what, name);
	bench_report(line, bench_median(ours, ROUNDS), bench_median(other, ROUNDS), "us");
}

static void measure(const char *directory, const char *name, uint64_t length,
		    enum pinreg_method method)
{
	static struct side ours = { .windows = true }, other;
	struct pinreg_region_info info = { .size = sizeof(info) };
	side_open(&ours, directory, length, method);
	side_open(&other, directory, length, method);
	pinreg_region_query(ours.region, &info);
	printf("%s: method %s\n", name, pinreg_method_name(info.method));
	ours.window = NULL;
	bind_again(&ours);
	for (size_t round = 0; round < ROUNDS; round++) {
		side_break(&ours, round);
		side_break(&other, round);
	}
	use(&ours);
	report("fence", name, ours.fence_us, other.fence_us);
	report("return", name, ours.return_us, other.return_us);
	side_close(&ours);
	side_close(&other);
}

int main(int argc, char **argv)
{
	struct pinreg_domain_opts opts = { .size = sizeof(opts),
					   .quiesce_ms = PINREG_QUIESCE_NONE };
	enum pinreg_method method = PINREG_METHOD_AUTO;
	if (argc == 3 && !strcmp(argv[2], "staged"))
		method = PINREG_METHOD_STAGED;
	else if (argc != 2)
		die("usage", "bench-windows DIRECTORY [staged]");
	/* before anything is open that it would share */
	breaker = breaker_start();
	struct ibv_context *context = bench_open_device(NULL);
	struct ibv_pd *pd = context ? ibv_alloc_pd(context) : NULL;
	if (!pd)
		die("device", "there is none");
	check("pinreg_domain_open", pinreg_domain_open(pd, &opts, &domain));
	void *memory = aligned_alloc(4096, STORE);
	if (!memory)
		die("aligned_alloc", strerror(errno));
	memset(memory, 0x5a, STORE);
	buffer = ibv_reg_mr(pd, memory, STORE, IBV_ACCESS_LOCAL_WRITE);
	if (!buffer)
		die("ibv_reg_mr", strerror(errno));
	loop_open(&loop, pd);

	measure(argv[1], "1M", 1u << 20, method);
	measure(argv[1], "64M", 64u << 20, method);

	loop_close(&loop);
	ibv_dereg_mr(buffer);
	free(memory);
	breaker_stop(breaker);
	check("pinreg_domain_close", pinreg_domain_close(domain));
	ibv_dealloc_pd(pd);
	ibv_close_device(context);
	return EXIT_SUCCESS;
}
