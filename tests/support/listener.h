/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listener.h -- a monitor of a cache, and what it heard.
 */
#ifndef PINREG_TESTS_SUPPORT_LISTENER_H
#define PINREG_TESTS_SUPPORT_LISTENER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "cache/monitor.h"

#define LISTENER_ROOM 256u
#define LISTENER_PAGE ((size_t)4096)

struct listener {
	struct pinreg_cache_monitor monitor;
	_Atomic(bool) changing;
	_Atomic(unsigned int) begun;
	/* while it is locked the monitor stays in begin(), and has read nothing */
	pthread_mutex_t gate;
	void *page;		     /* its own, to see that all before has been heard */
	pthread_mutex_t lock;	     /* of what follows */
	_Atomic(unsigned int) count; /* read without it too */
	struct {
		uint64_t addr, length;
	} heard[LISTENER_ROOM];
};

/* Of that table, NULL: the real one. 0 or -errno with *why. */
int listener_try(struct listener *listener, const struct pinreg_sys *sys, bool strict,
		 struct pinreg_why *why);

/* A table to try it with: listener_real_table() has all its calls real, to be changed then. */
extern struct pinreg_sys listener_table;
struct pinreg_sys *listener_real_table(void);

/* The real one; must start. */
void listener_start(struct listener *listener, bool strict);
void listener_stop(struct listener *listener);

/* So many pages of private memory, written; watched, if a listener is given. */
char *listener_pages(struct listener *listener, size_t pages);

void listener_watch(struct listener *listener, const void *addr, size_t length);

/*
 * Was a range heard of that is exactly this, or (touched) has a byte of this? What happened
 * before the call has been heard, without waiting for a time.
 */
bool listener_heard(struct listener *listener, const void *addr, size_t length);
bool listener_touched(struct listener *listener, const void *addr, size_t length);

/* Forget what was heard until now. */
void listener_forget(struct listener *listener);

/* Is the memory still watched? It is emptied for that. */
bool listener_watches(struct listener *listener, void *addr, size_t length);

/* A userfaultfd that is none of the library's, and a registration with it. */
int listener_other(void);
int listener_other_register(int other, const void *addr, size_t length);
bool listener_other_has(int other, const void *addr, size_t length);

#endif
