/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watch.h -- the library's threads: one hears of broken leases and yields
 * files, one takes them back.
 *
 *   PREPARING -> HELD -> BREAKING -> WAITING -> REVALIDATE -> HELD
 *                           ^           \-> LOST     |  \-> WAITING
 *                           +------------------------+  (taken again)
 */
#ifndef PINREG_WATCH_WATCH_H
#define PINREG_WATCH_WATCH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <pinreg/event.h>

#include "file/guard.h"
#include "region/set.h"
#include "watch/agenda.h"
#include "watch/events.h"
#include "watch/mapped.h"
#include "watch/table.h"

/* Before HELD; the owner does not have the handle yet. */
#define PINREG_FILE_PREPARING ((enum pinreg_file_state)0)

/* The public handle: a prepared file under a lease. */
struct pinreg_file {
	struct pinreg_watch *watch;
	struct pinreg_prepared prepared;
	struct pinreg_guard guard;
	struct pinreg_region_set regions;
	struct pinreg_tenure tenure; /* of who prepares */
	enum pinreg_shrink on_shrink;
	enum pinreg_replaced on_replaced;
	enum pinreg_reader on_reader;
	_Atomic(bool) give_up; /* what is slow shall end: the owner closes */

	/*
	 * Under watch->lock. Who changes one of the next six calls pinreg_watch_sort(),
	 * unless it is busy: then the end of the work does.
	 */
	enum pinreg_file_state state;
	bool busy;    /* a thread works on it outside the lock */
	bool closing; /* its owner waits for busy to end */
	bool broken;  /* a signal came for its descriptor: ask the lease */
	bool acked;
	bool nudged; /* somebody closed or changed the inode: try now */
	/* BREAKING, WAITING: when the next step is due. Set while busy: the agenda sorts by it */
	uint64_t due_ns;
	struct pinreg_file *next; /* of all files */
	struct pinreg_file *previous;
	struct pinreg_place place;
	struct pinreg_entry by_fd;
	struct pinreg_entry by_inotify; /* not without a lease, nor where watches ran out */

	struct pinreg_event_line events; /* under events->lock */
	uint64_t zeroed;		 /* of the last preparation, for the owner to ask */
	uint64_t extents;
	uint64_t length; /* bytes served since it was held last */
	uint64_t inode;	 /* the one that was held last */

	/* of the thread that has it busy */
	enum pinreg_breaker breaker;
	bool owner_knows; /* BREAK was sent, FENCED and an end must follow */
	bool follows;	  /* REVALIDATE: not leased yet, another inode is to be opened */
	bool replaced;	  /* it is another inode than when it was held last */
	bool lose;	  /* after the fence it is lost, for this reason: */
	struct pinreg_why lost_why;
	int fence_status; /* of the last try, logged when it changes */
	bool leased;	  /* when the break was noticed: not where it was SHARED */
	bool gone;	  /* the lease, before it was released */
	uint64_t noticed_ns;
	uint64_t deadline_ns; /* of a break that the owner is still to hear of; or 0 */
	uint64_t held_ns;     /* when the lease was last seen held in this break; 0: not seen */
	uint64_t released_ns;
	uint64_t backoff_ns;
	unsigned int given_up; /* returns since it was last held */
	uint64_t lost_bytes;   /* zeroed since it was last held */
	uint64_t lost_offset;
	uint64_t found_size; /* when the lease was taken again */
};

enum pinreg_watch_state {
	PINREG_WATCH_STOPPED = 0,
	PINREG_WATCH_STARTING,
	PINREG_WATCH_RUNNING,
	PINREG_WATCH_STOPPING,
};

/*
 * Lock order: watch->lock, then a set's lock or events->lock; of those two only
 * one at a time. The watcher notices breaks, fences and releases; that must
 * never wait for another file, so whatever can take long (preparing, and
 * registering again) is done by the returner. Both work on a file outside of
 * watch->lock, with the file marked busy, and only they change a state after
 * PREPARING. An owner who closes waits until busy has ended, and nobody starts
 * work on a file that is closing: so it cannot go away under a thread.
 */
struct pinreg_watch {
	struct pinreg_device *device;
	struct pinreg_events *events;
	uint64_t quiesce_ns;
	int wanted_signal; /* 0: any that is free */

	pthread_mutex_t lock;
	pthread_cond_t changed; /* busy ended, or the state below changed */
	pthread_cond_t returns; /* a file is in REVALIDATE, or it is time to stop */
	struct pinreg_file *files;
	size_t count;
	struct pinreg_table by_fd;	/* all files */
	struct pinreg_table by_inotify; /* those whose closes are heard */
	struct pinreg_mapped mapped;	/* those whose owner has the handle */
	struct pinreg_agenda agenda;
	enum pinreg_watch_state state;
	int start_status;
	pid_t thread_id; /* of the watcher */
	/* constant while running */
	pthread_t watcher;
	pthread_t returner;
	int command_fd;
	int inotify_fd;
	struct pinreg_signals signals; /* opened and read by the watcher alone */
	/* constant from the opening of the domain to its end */
	struct pinreg_device_watch *device_watch; /* or NULL */
	int device_fd;				  /* or -1 */
};

void pinreg_watch_init(struct pinreg_watch *watch, struct pinreg_device *device,
		       struct pinreg_events *events, unsigned int quiesce_ms, int signal);

/* Ends the threads. ASSUMPTIONS: no files. */
void pinreg_watch_destroy(struct pinreg_watch *watch);

/* Is any file open? */
bool pinreg_watch_in_use(struct pinreg_watch *watch);

/* Start the threads if they are not running. 0 or -errno. */
int pinreg_watch_start(struct pinreg_watch *watch);

/* The same, with lock held, which is given up meanwhile; and with *why. */
int pinreg_watch_be_running(struct pinreg_watch *watch, struct pinreg_why *why);

/* The same, and let them know the file. 0, or -errno with *why. */
int pinreg_watch_add(struct pinreg_watch *watch, struct pinreg_file *file, struct pinreg_why *why);

/* Wait until the threads have left the file, and forget it. */
void pinreg_watch_remove(struct pinreg_watch *watch, struct pinreg_file *file);

/* The preparation has succeeded: HELD. With lock held. */
void pinreg_watch_hold(struct pinreg_file *file);

/* Its owner is about to have the handle: HELD for the first time. With lock held. */
void pinreg_watch_publish(struct pinreg_file *file);

/*
 * Something about the file has changed: let who has to work on it next know. With
 * lock held. The watcher has to be woken in addition where it may be asleep.
 */
void pinreg_watch_sort(struct pinreg_file *file);

/*
 * Work on a file outside of the lock, between these two: with lock held, begin
 * gives it up and end takes it again.
 */
void pinreg_watch_begin_work(struct pinreg_file *file);
void pinreg_watch_end_work(struct pinreg_file *file);

/*
 * Be nudged when somebody closes the inode, renames it or changes it; where the system has
 * none of that to give, its time alone brings the file back. With lock held.
 */
void pinreg_watch_hear_closes(struct pinreg_file *file);
void pinreg_watch_hear_opens(struct pinreg_file *file); /* these too */
void pinreg_watch_ignore_closes(struct pinreg_file *file);

/*
 * The file whose mapping has a byte of the range, or NULL. *whole: has all of
 * it. The file may be closed at any time by its owner, who is the caller.
 */
struct pinreg_file *pinreg_watch_find(struct pinreg_watch *watch, uint64_t addr, uint64_t length,
				      bool *whole);

/* Wake the watcher. */
void pinreg_watch_wake(struct pinreg_watch *watch);

#endif
