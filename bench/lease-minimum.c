/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lease-minimum.c -- the least that answers a lease break: one thread, one file,
 * one registration, and nobody is told.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench-lease.h"
#include "bench.h"
#include "fail.h"

#define SIGNAL (SIGRTMIN + 1)

struct minimum {
	struct ibv_pd *pd;
	struct ibv_mr *mr;
	unsigned int access;
	size_t length;
	void *memory;
	int fd;
	pid_t thread_id;
	pthread_t thread;
	pthread_mutex_t lock; /* of ready and the order of hold and the thread */
	pthread_cond_t changed;
	int ready;   /* the thread can be sent signals */
	int holding; /* registered and leased */
};

static void let_go(struct minimum *minimum)
{
	ibv_dereg_mr(minimum->mr);
	fcntl(minimum->fd, F_SETLEASE, F_UNLCK);
	pthread_mutex_lock(&minimum->lock);
	minimum->holding = 0;
	pthread_cond_signal(&minimum->changed);
	pthread_mutex_unlock(&minimum->lock);
}

static void *answer_breaks(void *context)
{
	struct minimum *minimum = context;
	sigset_t wanted;
	siginfo_t info;
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGNAL);
	pthread_sigmask(SIG_BLOCK, &wanted, NULL);
	pthread_mutex_lock(&minimum->lock);
	minimum->thread_id = gettid();
	minimum->ready = 1;
	pthread_cond_signal(&minimum->changed);
	pthread_mutex_unlock(&minimum->lock);
	/* a signal of a process, not of the kernel, is the one that ends it */
	while (sigwaitinfo(&wanted, &info) == SIGNAL && info.si_code > 0)
		let_go(minimum);
	return NULL;
}

struct minimum *minimum_start(struct ibv_pd *pd, const char *path, size_t length,
			      unsigned int access)
{
	struct minimum *minimum = calloc(1, sizeof(*minimum));
	if (!minimum)
		die("calloc", strerror(errno));
	minimum->pd = pd;
	minimum->length = length;
	minimum->access = access;
	minimum->fd = open(path, O_RDWR | O_CLOEXEC);
	if (minimum->fd < 0)
		die(path, strerror(errno));
	minimum->memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, minimum->fd, 0);
	if (minimum->memory == MAP_FAILED)
		die("mmap", strerror(errno));
	pthread_mutex_init(&minimum->lock, NULL);
	pthread_cond_init(&minimum->changed, NULL);
	if (pthread_create(&minimum->thread, NULL, answer_breaks, minimum))
		die("pthread_create", "failed");
	pthread_mutex_lock(&minimum->lock);
	while (!minimum->ready)
		pthread_cond_wait(&minimum->changed, &minimum->lock);
	pthread_mutex_unlock(&minimum->lock);
	return minimum;
}

void minimum_hold(struct minimum *minimum)
{
	struct f_owner_ex owner = { .type = F_OWNER_TID, .pid = minimum->thread_id };
	pthread_mutex_lock(&minimum->lock);
	while (minimum->holding)
		pthread_cond_wait(&minimum->changed, &minimum->lock);
	minimum->holding = 1;
	pthread_mutex_unlock(&minimum->lock);
	minimum->mr = ibv_reg_mr(minimum->pd, minimum->memory, minimum->length, minimum->access);
	if (!minimum->mr)
		die("ibv_reg_mr", strerror(errno));
	if (fcntl(minimum->fd, F_SETSIG, SIGNAL) || fcntl(minimum->fd, F_SETOWN_EX, &owner))
		die("fcntl", strerror(errno));
	/* the breaker closes the file a moment after it has answered */
	while (fcntl(minimum->fd, F_SETLEASE, F_WRLCK))
		if (errno != EAGAIN)
			die("F_SETLEASE", strerror(errno));
}

void minimum_stop(struct minimum *minimum)
{
	pthread_mutex_lock(&minimum->lock);
	while (minimum->holding)
		pthread_cond_wait(&minimum->changed, &minimum->lock);
	pthread_mutex_unlock(&minimum->lock);
	pthread_kill(minimum->thread, SIGNAL);
	pthread_join(minimum->thread, NULL);
	munmap(minimum->memory, minimum->length);
	close(minimum->fd);
	free(minimum);
}
