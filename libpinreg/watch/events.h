/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * events.h -- the queue between the watcher and the owner.
 */
#ifndef PINREG_WATCH_EVENTS_H
#define PINREG_WATCH_EVENTS_H

#include <pthread.h>

#include <pinreg/event.h>

#include "sys/sys.h"

struct pinreg_event_node;

/*
 * lock protects the list; it is taken under watch->lock and takes none. The
 * descriptor is readable exactly while the list is not empty.
 */
struct pinreg_events {
	const struct pinreg_sys *sys;
	int fd;
	pthread_mutex_t lock;
	struct pinreg_event_node *first;
	struct pinreg_event_node **last;
	unsigned int unstored; /* for want of memory; the next event tells */
};

/* 0 or -errno. */
int pinreg_events_init(struct pinreg_events *events, const struct pinreg_sys *sys);
void pinreg_events_destroy(struct pinreg_events *events);

/*
 * Append a copy. An owner that does not listen keeps no more than 16 events of
 * a file waiting: then the oldest of that file goes, and the next counts it.
 */
void pinreg_events_push(struct pinreg_events *events, const struct pinreg_event *event);

/* The oldest, or -EAGAIN. */
int pinreg_events_pop(struct pinreg_events *events, struct pinreg_event *out);

/* Forget those of a file that is about to go. */
void pinreg_events_drop(struct pinreg_events *events, const struct pinreg_file *file);

#endif
