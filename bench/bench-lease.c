/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench-lease.c -- what a lease break costs: those who wait, and us.
 *
 * release: how long somebody who opens a leased file of 1 MiB with one region
 * waits, against a hand-written minimum of the same kind, in turns: a thread in
 * sigwaitinfo(), ibv_dereg_mr(), F_UNLCK, and nothing else. Ours with no time to
 * quiesce, as the minimum has none; it also replaces the mapping and comes back.
 *
 * many: 1,000 leased files with a region each, all broken at once by 50
 * processes. From the break of a file to its opening, the slowest of a hundred
 * against lease-break-time; all must have come back, and none was forced.
 *
 * memory: bytes of heap for each leased file, without regions, against 2 KiB.
 *
 *   bench-lease DIRECTORY
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <pinreg/pinreg.h>

#include "bench-lease.h"
#include "bench.h"
#include "device.h"
#include "fail.h"

#define LENGTH (1u << 20)
#define ROUNDS 201
#define FILES 1000u
#define FILE_LENGTH (64u << 10)
#define BREAKERS 50u

static struct pinreg_file *open_leased(struct pinreg_domain *domain, const char *path,
				       uint64_t length)
{
	struct pinreg_file_opts opts = {
		.size = sizeof(opts),
		.length = length,
		.create = 1,
		.allow_page_cache = 1,
	};
	struct pinreg_file *file;
	struct pinreg_why why;
	if (pinreg_file_open(domain, AT_FDCWD, path, &opts, &why, &file))
		refused(path, &why);
	return file;
}

static struct pinreg_region *register_all(struct pinreg_file *file)
{
	struct pinreg_region_opts opts = {
		.size = sizeof(opts),
		.granularity = PINREG_GRANULARITY_PAGE,
	};
	struct pinreg_region *region;
	struct pinreg_why why;
	if (pinreg_file_register(file, 0, 0, &opts, &why, &region))
		refused("pinreg_file_register", &why);
	return region;
}

static struct pinreg_domain *open_domain(struct ibv_pd *pd, unsigned int quiesce_ms)
{
	struct pinreg_domain_opts opts = { .size = sizeof(opts), .quiesce_ms = quiesce_ms };
	struct pinreg_domain *domain;
	int status = pinreg_domain_open(pd, &opts, &domain);
	if (status)
		die("pinreg_domain_open", strerror(-status));
	return domain;
}

/* How often each kind of event came. */
struct tally {
	unsigned int of[PINREG_EVENT_ADMITTED + 1];
};

/* Take events, and answer breaks at once, until so many files have come back. */
static void listen_until_restored(struct pinreg_domain *domain, unsigned int files,
				  struct tally *tally)
{
	struct pollfd poll_fd = { .fd = pinreg_domain_event_fd(domain), .events = POLLIN };
	struct pinreg_event event = { .size = sizeof(event) };
	while (tally->of[PINREG_EVENT_RESTORED] < files && poll(&poll_fd, 1, 60000) == 1) {
		while (!pinreg_domain_next_event(domain, &event)) {
			tally->of[event.type]++;
			if (event.type == PINREG_EVENT_BREAK)
				pinreg_file_ack(event.file, event.generation);
			if (event.type == PINREG_EVENT_LOST)
				refused("a file was lost", &event.why);
		}
	}
}

/* ---- release ------------------------------------------------------------------ */

static void measure_release(struct ibv_pd *pd, const char *directory)
{
	static double ours[ROUNDS], other[ROUNDS];
	char our_path[256], other_path[256];
	snprintf(our_path, sizeof(our_path), "%s/bench-lease-ours", directory);
	snprintf(other_path, sizeof(other_path), "%s/bench-lease-other", directory);
	struct breaker *breaker = breaker_start();
	struct pinreg_domain *domain = open_domain(pd, PINREG_QUIESCE_NONE);
	struct pinreg_file *file = open_leased(domain, our_path, LENGTH);
	struct pinreg_region *region = register_all(file);
	struct pinreg_region_info info = { .size = sizeof(info) };
	pinreg_region_query(region, &info);
	/* the same blocks of the same kind: made by the library, then let go */
	pinreg_file_close(open_leased(domain, other_path, LENGTH));
	struct minimum *minimum = minimum_start(pd, other_path, LENGTH, info.access);

	for (size_t i = 0; i < ROUNDS; i++) {
		/* in turns; what is done before somebody comes is not measured */
		struct tally tally = { 0 };
		ours[i] = breaker_open(breaker, our_path) / 1000;
		listen_until_restored(domain, 1, &tally);
		minimum_hold(minimum);
		other[i] = breaker_open(breaker, other_path) / 1000;
	}
	printf("release: method %s\n", pinreg_method_name(info.method));
	bench_report("lease-release-1M", bench_median(ours, ROUNDS), bench_median(other, ROUNDS),
		     "us");

	minimum_stop(minimum);
	breaker_stop(breaker);
	pinreg_region_deregister(region);
	pinreg_file_close(file);
	pinreg_domain_close(domain);
	unlink(our_path);
	unlink(other_path);
}

/* ---- many ------------------------------------------------------------------- */

static void many_path(char *path, size_t room, const char *directory, unsigned int number)
{
	snprintf(path, room, "%s/bench-lease-%u", directory, number);
}

static double break_time_ms(void)
{
	FILE *file = fopen("/proc/sys/fs/lease-break-time", "re");
	unsigned int seconds = 45;
	if (!file || fscanf(file, "%u", &seconds) != 1)
		die("lease-break-time", "cannot be read");
	fclose(file);
	return seconds * 1000.0;
}

static void break_all(struct pinreg_domain *domain, struct breaker **breakers,
		      const char *directory)
{
	static double waited[FILES];
	struct tally tally = { 0 };
	uint64_t begun = bench_now_ns();
	for (unsigned int i = 0; i < BREAKERS; i++)
		breaker_go_many(breakers[i], directory, i * (FILES / BREAKERS), FILES / BREAKERS);
	listen_until_restored(domain, FILES, &tally);
	double all_ms = (double)(bench_now_ns() - begun) / 1e6;
	for (unsigned int i = 0; i < BREAKERS; i++)
		breaker_waited_many(breakers[i], &waited[i * (FILES / BREAKERS)], FILES / BREAKERS);
	double median = bench_median(waited, FILES) / 1e6;
	printf("many: %u breaks, %u fenced, %u restored, %u leases taken away, in %.0f ms; "
	       "waited: median %.1f ms, slowest %.1f ms\n",
	       tally.of[PINREG_EVENT_BREAK], tally.of[PINREG_EVENT_FENCED],
	       tally.of[PINREG_EVENT_RESTORED], tally.of[PINREG_EVENT_LEASE_LOST], all_ms, median,
	       waited[FILES - 1] / 1e6);
	bench_report("lease-break-1000-p99-of-the-limit", waited[FILES * 99 / 100] / 1e6,
		     break_time_ms(), "ms");
	if (tally.of[PINREG_EVENT_RESTORED] != FILES || tally.of[PINREG_EVENT_LEASE_LOST])
		die("many", "not all came back, or some were taken away");
}

static void measure_many(struct ibv_pd *pd, const char *directory)
{
	static struct pinreg_file *files[FILES];
	static struct pinreg_region *regions[FILES];
	struct breaker *breakers[BREAKERS];
	char path[256];
	for (unsigned int i = 0; i < BREAKERS; i++)
		breakers[i] = breaker_start();
	struct pinreg_domain *domain = open_domain(pd, 0);
	/* the first starts the threads, and with them what they need */
	many_path(path, sizeof(path), directory, FILES);
	struct pinreg_file *first = open_leased(domain, path, FILE_LENGTH);
	size_t before = mallinfo2().uordblks;
	for (unsigned int i = 0; i < FILES; i++) {
		many_path(path, sizeof(path), directory, i);
		files[i] = open_leased(domain, path, FILE_LENGTH);
	}
	double bytes = (double)(mallinfo2().uordblks - before) / FILES;
	for (unsigned int i = 0; i < FILES; i++)
		regions[i] = register_all(files[i]);

	break_all(domain, breakers, directory);
	bench_report("lease-heap-of-a-file", bytes, 2048, "bytes");

	for (unsigned int i = 0; i < FILES; i++) {
		pinreg_region_deregister(regions[i]);
		pinreg_file_close(files[i]);
		many_path(path, sizeof(path), directory, i);
		unlink(path);
	}
	pinreg_file_close(first);
	many_path(path, sizeof(path), directory, FILES);
	unlink(path);
	for (unsigned int i = 0; i < BREAKERS; i++)
		breaker_stop(breakers[i]);
	pinreg_domain_close(domain);
}

int main(int argc, char **argv)
{
	struct rlimit files;
	if (argc != 2)
		die("usage", "bench-lease DIRECTORY");
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);

	struct ibv_context *context = bench_open_device(NULL);
	if (!context)
		die("device", "there is none");
	struct ibv_pd *pd = ibv_alloc_pd(context);
	if (!pd)
		die("ibv_alloc_pd", strerror(errno));
	measure_release(pd, argv[1]);
	measure_many(pd, argv[1]);
	ibv_dealloc_pd(pd);
	ibv_close_device(context);
	return EXIT_SUCCESS;
}
