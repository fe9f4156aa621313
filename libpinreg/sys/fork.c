/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fork.c -- the descriptors that a forked child must not keep, and the epoch.
 */
#include "sys/fork.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define WORD_BITS (sizeof(unsigned long) * CHAR_BIT)

unsigned int pinreg_fork_epoch;

/*
 * lock is the innermost of the library: nothing is taken under it, and it is not
 * held while a descriptor is opened or closed. A fork waits until nobody is inside,
 * and holds the lock while the child is made; so in the child the list is whole.
 */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t left; /* nobody is inside any more */
	unsigned int inside;
	unsigned long *listed; /* a bit for each descriptor */
	size_t words;
} registry = { .lock = PTHREAD_MUTEX_INITIALIZER, .left = PTHREAD_COND_INITIALIZER };

static int handlers_status;

static void before_fork(void)
{
	pthread_mutex_lock(&registry.lock);
	while (registry.inside)
		pthread_cond_wait(&registry.left, &registry.lock);
}

static void after_fork_in_parent(void)
{
	pthread_mutex_unlock(&registry.lock);
}

/* Only what may be called in a signal handler: other threads held any lock of libc. */
static void after_fork_in_child(void)
{
	pinreg_fork_epoch++;
	for (size_t i = 0; i < registry.words; i++) {
		for (; registry.listed[i]; registry.listed[i] &= registry.listed[i] - 1)
			close((int)(i * WORD_BITS) + __builtin_ctzl(registry.listed[i]));
	}
	/* a thread of the parent may have waited, for another fork */
	registry.left = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
	pthread_mutex_unlock(&registry.lock);
}

/* When the library is loaded: what a peer keeps is no descriptor, but inherited too. */
__attribute__((constructor)) static void install(void)
{
	handlers_status = -pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

void pinreg_fork_begin(void)
{
	pthread_mutex_lock(&registry.lock);
	registry.inside++;
	pthread_mutex_unlock(&registry.lock);
}

void pinreg_fork_end(void)
{
	pthread_mutex_lock(&registry.lock);
	if (!--registry.inside)
		pthread_cond_broadcast(&registry.left);
	pthread_mutex_unlock(&registry.lock);
}

/* With lock held. */
static int make_room(size_t words)
{
	if (words <= registry.words)
		return 0;
	unsigned long *more = realloc(registry.listed, words * sizeof(*more));
	if (!more)
		return -ENOMEM;
	for (size_t i = registry.words; i < words; i++)
		more[i] = 0;
	registry.listed = more;
	registry.words = words;
	return 0;
}

int pinreg_fork_list(int fd)
{
	size_t word = (size_t)fd / WORD_BITS;
	pthread_mutex_lock(&registry.lock);
	int status = handlers_status ? handlers_status : make_room(word + 1);
	if (!status)
		registry.listed[word] |= 1ul << (size_t)fd % WORD_BITS;
	pthread_mutex_unlock(&registry.lock);
	return status;
}

int pinreg_fork_opened(int fd)
{
	int status = fd < 0 ? -errno : pinreg_fork_list(fd);
	if (status && fd >= 0)
		close(fd);
	pinreg_fork_end();
	return status ? status : fd;
}

void pinreg_fork_unlist(int fd)
{
	size_t word = (size_t)fd / WORD_BITS;
	pthread_mutex_lock(&registry.lock);
	if (word < registry.words)
		registry.listed[word] &= ~(1ul << (size_t)fd % WORD_BITS);
	pthread_mutex_unlock(&registry.lock);
}
