/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * soak.c -- serves files for a long time while their leases are broken at random.
 * Nothing that was committed is lost, nothing is wrong, nothing leaks.
 *
 * Usage: soak [--minutes N] [--seed S]; lab soak runs it in a guest.
 */
#include "soak.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/rdma.h"
#include "sys/sys.h"

#define SECOND ((uint64_t)1000000000)
/* longer than any visitor may wait, shorter than lease-break-time */
#define TOO_LONG (30 * SECOND)
#define WARM_UP (5 * SECOND)

static struct soak_shared *shared;
static struct soak_file files[SOAK_FILES];
static struct soak_client clients[SOAK_CLIENTS];
static pid_t visitors[SOAK_VISITORS];
static uint64_t breaks, fenced, restored;
static enum pinreg_event_type last[SOAK_FILES]; /* of each file; 0: none yet */

/* What must be the same at the beginning and at the end. */
struct census {
	uint64_t descriptors, mappings, regions, heap;
};

/* The kernel joins neighbours, and malloc grows by its own rules: once, not with each break. */
#define MAPPINGS_MORE 16
#define HEAP_MORE 65536

uint64_t soak_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

uint64_t soak_random(uint64_t *state)
{
	/* splitmix64 */
	uint64_t mixed = *state += 0x9e3779b97f4a7c15u;
	mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
	mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
	mixed ^= mixed >> 31;
	return mixed ? mixed : 1;
}

void soak_fail(struct soak_shared *where, const char *format, ...)
{
	va_list args;
	if (atomic_exchange(&where->failed, true))
		return;
	va_start(args, format);
	vsnprintf(where->failure, sizeof(where->failure), format, args);
	va_end(args);
	fprintf(stderr, "soak: %s\n", where->failure);
}

static uint64_t count_lines(const char *path)
{
	uint64_t lines = 0;
	int c;
	FILE *file = fopen(path, "re");
	if (!file)
		return 0;
	while ((c = getc(file)) != EOF)
		lines += c == '\n';
	fclose(file);
	return lines;
}

static struct census take_census(void)
{
	struct census census = {
		.mappings = count_lines("/proc/self/maps"),
		.heap = mallinfo2().uordblks,
	};
	for (int fd = 0; fd < 4096; fd++)
		census.descriptors += fcntl(fd, F_GETFD) >= 0;
	if (pinreg_sys_real.mr_count(rdma_pd()->context, &census.regions))
		soak_fail(shared, "the device does not tell how many regions it has");
	return census;
}

static void compare(const char *what, uint64_t before, uint64_t after, uint64_t more)
{
	printf("%s: %lu before, %lu after\n", what, (unsigned long)before, (unsigned long)after);
	if (after > before + more)
		soak_fail(shared, "%s leaked: %lu before, %lu after", what, (unsigned long)before,
			  (unsigned long)after);
}

static void share(void)
{
	pthread_mutexattr_t attributes;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		exit(1);
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	for (unsigned int i = 0; i < SOAK_FILES; i++) {
		pthread_mutex_init(&shared->stamps[i].lock, &attributes);
		snprintf(shared->path[i], sizeof(shared->path[i]), "%s/soak-%u",
			 i / 2 % 2 ? "/pmem/xfs" : "/pmem/ext4", i);
		unlink(shared->path[i]);
	}
	shared->pause = true;
}

/* Before there is anything of RDMA or a thread in this process. */
static void start_visitors(uint64_t seed)
{
	for (unsigned int i = 0; i < SOAK_VISITORS; i++) {
		uint64_t own = seed + 1000 * (i + 1);
		visitors[i] = fork();
		if (!visitors[i])
			soak_visit(shared, i, soak_random(&own));
	}
}

static struct pinreg_domain *domain(void)
{
	struct pinreg_domain_opts opts = { .size = sizeof(opts), .quiesce_ms = 1 };
	return rdma_domain(&opts);
}

static void open_files(void)
{
	struct pinreg_file_opts opts = {
		.size = sizeof(opts),
		.length = SOAK_LENGTH,
		.create = 1,
		.mode = 0700,
	};
	struct pinreg_region_opts pages = {
		.size = sizeof(pages),
		.granularity = PINREG_GRANULARITY_PAGE,
	};
	for (unsigned int i = 0; i < SOAK_FILES; i++) {
		struct pinreg_why why;
		if (pinreg_file_open(domain(), AT_FDCWD, shared->path[i], &opts, &why,
				     &files[i].file) ||
		    pinreg_file_register(files[i].file, 0, 0, &pages, &why, &files[i].region)) {
			fprintf(stderr, "soak: %s: %s\n", shared->path[i], rdma_sentence(&why));
			exit(1);
		}
	}
}

static void close_files(void)
{
	for (unsigned int i = 0; i < SOAK_FILES; i++) {
		if (pinreg_region_deregister(files[i].region) || pinreg_file_close(files[i].file))
			soak_fail(shared, "%s cannot be closed", shared->path[i]);
		unlink(shared->path[i]);
	}
	if (pinreg_domain_close(domain()))
		soak_fail(shared, "the domain cannot be closed");
}

static unsigned int number_of(const struct pinreg_file *file)
{
	unsigned int i = 0;
	while (i < SOAK_FILES && files[i].file != file)
		i++;
	return i;
}

static void take_event(const struct pinreg_event *event)
{
	unsigned int number = number_of(event->file);
	if (number == SOAK_FILES) {
		soak_fail(shared, "an event '%s' of no file", pinreg_event_name(event->type));
		return;
	}
	enum pinreg_event_type before = last[number];
	bool legal = false;
	switch (event->type) {
	case PINREG_EVENT_BREAK:
		breaks++;
		legal = !before || before == PINREG_EVENT_RESTORED;
		break;
	case PINREG_EVENT_FENCED:
		fenced++;
		legal = before == PINREG_EVENT_BREAK;
		break;
	case PINREG_EVENT_RESTORED:
		restored++;
		legal = before == PINREG_EVENT_FENCED;
		if (event->zeroed && event->zeroed_offset < SOAK_TAIL * SOAK_PAGE)
			soak_fail(shared, "%s: zeroed from %lu on", shared->path[number],
				  (unsigned long)event->zeroed_offset);
		break;
	default:
		break;
	}
	if (!legal)
		soak_fail(shared, "%s: '%s' after '%s'", shared->path[number],
			  pinreg_event_name(event->type), pinreg_event_name(before));
	last[number] = event->type;
}

/* For that long, unless something fails. */
static void listen_for(uint64_t ns)
{
	struct pollfd poll_fd = { .fd = pinreg_domain_event_fd(domain()), .events = POLLIN };
	struct pinreg_event event = { .size = sizeof(event) };
	uint64_t end = soak_now_ns() + ns;
	while (!shared->failed && soak_now_ns() < end) {
		poll(&poll_fd, 1, 100);
		while (!pinreg_domain_next_event(domain(), &event))
			take_event(&event);
		for (unsigned int i = 0; i < SOAK_VISITORS; i++) {
			uint64_t since = shared->since_ns[i];
			if (since && soak_now_ns() > since + TOO_LONG)
				soak_fail(shared, "visitor %u is not let in", i);
		}
	}
}

static bool all_held(void)
{
	for (unsigned int i = 0; i < SOAK_FILES; i++) {
		struct pinreg_file_info info = { .size = sizeof(info) };
		pinreg_file_query(files[i].file, &info);
		if (info.state != PINREG_FILE_HELD)
			return false;
	}
	return fenced == restored && breaks == fenced;
}

/* Nobody visits, nobody stores, every file is held again. */
static void come_to_rest(void)
{
	uint64_t end = soak_now_ns() + TOO_LONG;
	bool rest = false;
	shared->pause = true;
	for (unsigned int i = 0; i < SOAK_CLIENTS; i++)
		clients[i].pause = true;
	while (!rest && soak_now_ns() < end && !shared->failed) {
		listen_for(200 * 1000000);
		rest = all_held() && shared->paused == SOAK_VISITORS;
		for (unsigned int i = 0; i < SOAK_CLIENTS; i++)
			rest = rest && clients[i].paused;
	}
	if (!rest)
		soak_fail(shared, "%lu breaks, %lu fenced, %lu restored: not all files came back",
			  (unsigned long)breaks, (unsigned long)fenced, (unsigned long)restored);
}

static void go_on(void)
{
	for (unsigned int i = 0; i < SOAK_CLIENTS; i++)
		clients[i].pause = false;
	shared->pause = false;
}

static void start_clients(uint64_t seed)
{
	for (unsigned int i = 0; i < SOAK_CLIENTS; i++) {
		clients[i].shared = shared;
		clients[i].files = files;
		clients[i].number = i;
		clients[i].seed = seed + i;
		pthread_create(&clients[i].thread, NULL, soak_client_run, &clients[i]);
	}
}

static void stop_all(void)
{
	shared->stop = true;
	for (unsigned int i = 0; i < SOAK_VISITORS; i++)
		waitpid(visitors[i], NULL, 0);
	for (unsigned int i = 0; i < SOAK_CLIENTS; i++) {
		clients[i].stop = true;
		pthread_join(clients[i].thread, NULL);
	}
}

static void report(uint64_t ns)
{
	uint64_t commits = 0, checks = 0, refused = 0, silent = 0, undone = 0;
	for (unsigned int i = 0; i < SOAK_CLIENTS; i++) {
		commits += clients[i].commits;
		checks += clients[i].checks;
		refused += clients[i].refused;
		silent += clients[i].silent;
		undone += clients[i].undone;
	}
	printf("%lu visits, %lu breaks (%lu a minute), %lu restored\n",
	       (unsigned long)shared->visits, (unsigned long)breaks,
	       (unsigned long)(breaks * 60 * SECOND / (ns ? ns : 1)), (unsigned long)restored);
	printf("%lu objects committed, %lu read and right, %lu transfers refused by dead keys, "
	       "%lu without an answer, %lu commits ended by a fence\n",
	       (unsigned long)commits, (unsigned long)checks, (unsigned long)refused,
	       (unsigned long)silent, (unsigned long)undone);
	printf("longest that a visitor waited: %.1f ms\n", (double)shared->longest_ns / 1e6);
	if (!commits || !checks || !refused)
		soak_fail(shared, "the clients did not get to all that they are here for");
	/* now and then, on a busy machine, but not as a rule */
	if (silent > refused / 10 + 1)
		soak_fail(shared, "%lu transfers got no answer", (unsigned long)silent);
	fflush(stdout);
}

static void soak(uint64_t ns, uint64_t seed)
{
	share();
	start_visitors(seed);
	domain();
	rdma_trust(); /* what the device's test leaves is there before the census */
	struct census empty = take_census();
	open_files();
	start_clients(seed);
	go_on();
	listen_for(WARM_UP);
	come_to_rest();
	struct census begun = take_census();
	go_on();
	for (uint64_t done = 0; done < ns && !shared->failed; done += 30 * SECOND) {
		listen_for(ns - done < 30 * SECOND ? ns - done : 30 * SECOND);
		printf("%lu breaks\n", (unsigned long)breaks);
		fflush(stdout);
	}
	come_to_rest();
	struct census ended = take_census();
	stop_all();
	for (unsigned int i = 0; i < SOAK_CLIENTS && !shared->failed; i++)
		soak_check_all(&clients[i]);
	report(ns + WARM_UP);
	compare("descriptors", begun.descriptors, ended.descriptors, 0);
	compare("mappings", begun.mappings, ended.mappings, MAPPINGS_MORE);
	compare("bytes of the heap", begun.heap, ended.heap, HEAP_MORE);
	compare("regions of the device", begun.regions, ended.regions, 0);
	close_files();
	struct census closed = take_census();
	compare("regions, all closed", empty.regions, closed.regions, 0);
}

int main(int argc, char **argv)
{
	unsigned long minutes = 5;
	uint64_t seed = (uint64_t)time(NULL);
	for (int i = 1; i < argc; i += 2) {
		if (i + 1 < argc && !strcmp(argv[i], "--minutes")) {
			minutes = strtoul(argv[i + 1], NULL, 10);
		} else if (i + 1 < argc && !strcmp(argv[i], "--seed")) {
			seed = strtoul(argv[i + 1], NULL, 10);
		} else {
			fprintf(stderr, "Usage: soak [--minutes N] [--seed S]\n");
			return 2;
		}
	}
	printf("soak: %lu minutes, seed %lu\n", minutes, (unsigned long)seed);
	fflush(stdout);
	soak(minutes * 60 * SECOND, seed);
	if (shared->failed) {
		printf("soak: FAILED after %lu breaks, seed %lu: %s\n", (unsigned long)breaks,
		       (unsigned long)seed, shared->failure);
		return 1;
	}
	printf("soak: %lu breaks, nothing lost, nothing wrong, nothing leaked\n",
	       (unsigned long)breaks);
	return 0;
}
