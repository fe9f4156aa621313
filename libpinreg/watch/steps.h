/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * steps.h -- what is done with a file in each state.
 */
#ifndef PINREG_WATCH_STEPS_H
#define PINREG_WATCH_STEPS_H

#include "watch/watch.h"

/* How long after a release it is tried for the first time, ns; then more and more seldom. */
#define PINREG_BACKOFF_FIRST ((uint64_t)2000000)

/* Set the state, with lock not held. */
void pinreg_steps_enter(struct pinreg_file *file, enum pinreg_file_state state);

/* An event of the file as it is, to be completed. */
struct pinreg_event pinreg_steps_event(struct pinreg_file *file, enum pinreg_event_type type);

/* Let the breaker in, and wait for him to go. Busy; ASSUMPTIONS: fenced. */
void pinreg_steps_yield(struct pinreg_file *file);

/* WAITING or SHARED: try to have the lease again after another while, or when nudged. Busy. */
void pinreg_steps_later(struct pinreg_file *file, enum pinreg_file_state state);

/* BREAKING from now on, to be fenced after that time, of which the owner hears. Busy. */
void pinreg_steps_break(struct pinreg_file *file, enum pinreg_breaker breaker, uint64_t quiesce_ns);

/*
 * A reader waits: SHARED from now on, he is let in. false, and nothing was done, where
 * the seal would not keep writers out. Busy.
 */
bool pinreg_admit(struct pinreg_file *file);

/* SHARED: have the readers gone, and does the seal hold? Busy. */
void pinreg_shared_look(struct pinreg_file *file);

/* It will not come back. Busy; ASSUMPTIONS: fenced. */
void pinreg_steps_lose(struct pinreg_file *file, const struct pinreg_why *why);

/*
 * Do what is due for the watcher: all breaks and fences, and before and after
 * them some of what nobody waits for. With lock held; gives it up meanwhile.
 */
void pinreg_steps_all(struct pinreg_watch *watch);

/* The lease is ours again: prepare, register, hold. Busy, in the returner. */
void pinreg_return(struct pinreg_file *file);

/* The path leads to another inode: open that, and wait for its lease. As above. */
void pinreg_follow(struct pinreg_file *file);

#endif
