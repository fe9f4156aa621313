/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watch.h -- the library's one thread: it hears of broken leases and takes
 * each file through its states.
 *
 *   PREPARING -> HELD -> BREAKING -> WAITING -> REVALIDATE -> HELD
 *                                       \-> LOST     \-> LOST, or WAITING again
 */
#ifndef PINREG_WATCH_WATCH_H
#define PINREG_WATCH_WATCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <pinreg/event.h>

#include "file/prepared.h"
#include "region/set.h"
#include "watch/events.h"

/* Before HELD; the owner does not have the handle yet. */
#define PINREG_FILE_PREPARING ((enum pinreg_file_state)0)

/* The public handle: a prepared file under a lease. */
struct pinreg_file {
	struct pinreg_watch *watch;
	struct pinreg_prepared prepared;
	struct pinreg_region_set regions;
	enum pinreg_shrink on_shrink;

	/* under watch->lock */
	struct pinreg_file *next;
	enum pinreg_file_state state;
	bool busy;    /* the watcher works on it outside the lock */
	bool closing; /* its owner waits for busy to end */
	bool broken;  /* a signal came for its descriptor */
	bool acked;
	bool nudged;	 /* somebody closed or changed the inode: try now */
	uint64_t zeroed; /* of the last preparation, for the owner to ask */
	uint64_t extents;

	/* the watcher's own, once the file was added */
	enum pinreg_breaker breaker;
	uint64_t noticed_ns;
	uint64_t released_ns;
	uint64_t due_ns; /* when the next step is due */
	uint64_t backoff_ns;
	int inotify; /* watch descriptor while WAITING, or -1 */
};

/*
 * Lock order: watch->lock, then a set's lock or events->lock; of those two only
 * one at a time. Fencing, preparing and registering are slow, so the watcher
 * does them outside of watch->lock, with the file marked busy. Only the watcher
 * sets busy and changes a state after PREPARING; an owner who closes waits
 * until busy has ended, and the watcher starts no work on a file that is
 * closing. So what the watcher needs of a file cannot go away under it.
 */
struct pinreg_watch {
	struct pinreg_device *device;
	struct pinreg_events *events;
	uint64_t quiesce_ns;
	int signal;

	pthread_mutex_t lock;
	pthread_cond_t changed; /* busy ended, or the thread has started */
	struct pinreg_file *files;
	pthread_t thread;
	bool running;
	bool stop;
	int start_status; /* 1: not yet known */
	pid_t thread_id;
	/* constant while running */
	int command_fd;
	int inotify_fd;
	int signal_fd; /* made and read by the thread alone */
};

void pinreg_watch_init(struct pinreg_watch *watch, struct pinreg_device *device,
		       struct pinreg_events *events, unsigned int quiesce_ms, int signal);

/* Ends the thread. ASSUMPTIONS: no files. */
void pinreg_watch_destroy(struct pinreg_watch *watch);

/* Is any file open? */
bool pinreg_watch_in_use(struct pinreg_watch *watch);

/* Start the thread if it is not running, and let it know the file. 0 or -errno. */
int pinreg_watch_add(struct pinreg_watch *watch, struct pinreg_file *file);

/* Wait until the watcher has left the file, and forget it. */
void pinreg_watch_remove(struct pinreg_watch *watch, struct pinreg_file *file);

/* The preparation has succeeded: HELD. With lock held. */
void pinreg_watch_hold(struct pinreg_file *file);

/* Wake the thread. */
void pinreg_watch_wake(struct pinreg_watch *watch);

/*
 * Take all signals that wait and mark the files they are for. Only in the
 * thread, with lock held.
 */
void pinreg_watch_take_signals(struct pinreg_watch *watch);

/*
 * Do every step that is due, breaks and fences first; urgent: only those. Only
 * in the thread, with lock held; gives it up meanwhile. steps.c.
 */
void pinreg_watch_steps(struct pinreg_watch *watch, bool urgent);

/* The time at which the next step is due, or UINT64_MAX. With lock held. */
uint64_t pinreg_watch_due(const struct pinreg_watch *watch);

#endif
