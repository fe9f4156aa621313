/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * events.h -- the queue between the watcher and the owner.
 */
#ifndef PINREG_WATCH_EVENTS_H
#define PINREG_WATCH_EVENTS_H

#include <pthread.h>
#include <stdbool.h>

#include <pinreg/event.h>

#include "sys/sys.h"

struct pinreg_event_node;

/* The waiting events of one file, or those of none: under events->lock. */
struct pinreg_event_line {
	struct pinreg_event_node *first;
	struct pinreg_event_node *last;
	unsigned int count;
};

/*
 * lock protects the lists; it is taken under watch->lock and takes none. Without
 * a caller (caller.h) the descriptor is readable exactly while the list is not
 * empty; with one there is no descriptor.
 */
struct pinreg_events {
	const struct pinreg_sys *sys;
	int fd; /* or -1 */
	pthread_mutex_t lock;
	pthread_cond_t changed; /* of the caller: an event came, a call has ended, it is to end */
	struct pinreg_event_node *first;
	struct pinreg_event_node *last;
	struct pinreg_event_line others;  /* of no file */
	struct pinreg_event_line *called; /* whose event is with the owner's function now */
	bool ending;
	unsigned int unstored; /* for want of memory; the next event tells */
};

/* with_fd: the owner will ask. 0 or -errno. */
int pinreg_events_init(struct pinreg_events *events, const struct pinreg_sys *sys, bool with_fd);
void pinreg_events_destroy(struct pinreg_events *events);

/*
 * Append a copy. An owner that does not listen keeps no more than 16 events of
 * a file waiting: then the oldest of that file goes, and the next counts it.
 */
void pinreg_events_push(struct pinreg_events *events, const struct pinreg_event *event);

/* The oldest, or -EAGAIN. */
int pinreg_events_pop(struct pinreg_events *events, struct pinreg_event *out);

/*
 * For the caller: wait for the oldest and take it; its line counts as called
 * until pinreg_events_called(). 0, or -ECANCELED after pinreg_events_end().
 */
int pinreg_events_wait(struct pinreg_events *events, struct pinreg_event *out);
void pinreg_events_called(struct pinreg_events *events);
void pinreg_events_end(struct pinreg_events *events);

/*
 * Forget those of a file that is about to go, and wait until the caller has left
 * it. inside: this is the caller's own thread, do not.
 */
void pinreg_events_drop(struct pinreg_events *events, struct pinreg_file *file, bool inside);

#endif
