/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * caller.h -- the thread that gives events to the owner's function.
 *
 * A thread of its own, so that an owner who waits in his function, for the file
 * that he opens there or for a lock of his, holds up nobody but himself.
 */
#ifndef PINREG_WATCH_CALLER_H
#define PINREG_WATCH_CALLER_H

#include <pinreg/domain.h>

#include "watch/events.h"

struct pinreg_caller {
	struct pinreg_events *events;
	pinreg_event_function *function; /* NULL: there is no thread */
	void *context;
	pthread_t thread;
};

/* Start the thread if there is a function. 0 or -errno. */
int pinreg_caller_start(struct pinreg_caller *caller, struct pinreg_events *events,
			pinreg_event_function *function, void *context);

/* End it, after the call that is under way. ASSUMPTIONS: not from that call. */
void pinreg_caller_stop(struct pinreg_caller *caller);

/* Is this thread the one of the caller of these events? */
bool pinreg_caller_inside(const struct pinreg_events *events);

#endif
