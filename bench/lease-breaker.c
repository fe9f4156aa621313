/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lease-breaker.c -- a process that wants leased files.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench-lease.h"
#include "bench.h"
#include "fail.h"

struct breaker {
	pid_t process;
	int to;	  /* orders */
	int from; /* nanoseconds */
};

/* count 0: that path; else so many numbered files of the directory. */
struct order {
	char path[256];
	unsigned int first;
	unsigned int count;
};

#define COUNT_MAX 64u

static void open_and_close(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die(path, strerror(errno));
	close(fd);
}

static void open_many(const struct order *order, double *waited)
{
	static char paths[COUNT_MAX][300];
	uint64_t begun[COUNT_MAX];
	for (unsigned int i = 0; i < order->count; i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s/bench-lease-%u", order->path,
			 order->first + i);
		begun[i] = bench_now_ns();
		/* does not wait, and the break is under way all the same */
		int fd = open(paths[i], O_RDWR | O_CLOEXEC | O_NONBLOCK);
		if (fd >= 0)
			close(fd);
	}
	for (unsigned int i = 0; i < order->count; i++) {
		open_and_close(paths[i]);
		waited[i] = (double)(bench_now_ns() - begun[i]);
	}
}

static void obey(int orders, int answers)
{
	struct order order;
	double waited[COUNT_MAX];
	while (read(orders, &order, sizeof(order)) == sizeof(order)) {
		unsigned int count = order.count ? order.count : 1;
		if (order.count) {
			open_many(&order, waited);
		} else {
			uint64_t begun = bench_now_ns();
			open_and_close(order.path);
			waited[0] = (double)(bench_now_ns() - begun);
		}
		ssize_t bytes = (ssize_t)(count * sizeof(waited[0]));
		if (write(answers, waited, (size_t)bytes) != bytes)
			break;
	}
}

struct breaker *breaker_start(void)
{
	struct breaker *breaker = calloc(1, sizeof(*breaker));
	int orders[2], answers[2];
	if (!breaker || pipe2(orders, O_CLOEXEC) || pipe2(answers, O_CLOEXEC))
		die("pipe", strerror(errno));
	breaker->process = fork();
	if (breaker->process < 0)
		die("fork", strerror(errno));
	if (!breaker->process) {
		close(orders[1]);
		close(answers[0]);
		obey(orders[0], answers[1]);
		_exit(0);
	}
	close(orders[0]);
	close(answers[1]);
	breaker->to = orders[1];
	breaker->from = answers[0];
	return breaker;
}

void breaker_stop(struct breaker *breaker)
{
	close(breaker->to);
	close(breaker->from);
	/* one that was started later holds a copy of the pipe's end */
	kill(breaker->process, SIGTERM);
	waitpid(breaker->process, NULL, 0);
	free(breaker);
}

static void send_order(struct breaker *breaker, const struct order *order)
{
	if (write(breaker->to, order, sizeof(*order)) != sizeof(*order))
		die("breaker", "does not listen");
}

static void read_answer(struct breaker *breaker, double *waited, unsigned int count)
{
	ssize_t bytes = (ssize_t)(count * sizeof(*waited));
	if (read(breaker->from, waited, (size_t)bytes) != bytes)
		die("breaker", "has ended");
}

double breaker_open(struct breaker *breaker, const char *path)
{
	struct order order = { .count = 0 };
	double waited;
	snprintf(order.path, sizeof(order.path), "%s", path);
	send_order(breaker, &order);
	read_answer(breaker, &waited, 1);
	return waited;
}

void breaker_go_many(struct breaker *breaker, const char *directory, unsigned int first,
		     unsigned int count)
{
	struct order order = { .first = first, .count = count };
	if (count > COUNT_MAX)
		die("breaker", "too many files");
	snprintf(order.path, sizeof(order.path), "%s", directory);
	send_order(breaker, &order);
}

void breaker_waited_many(struct breaker *breaker, double *waited, unsigned int count)
{
	read_answer(breaker, waited, count);
}
