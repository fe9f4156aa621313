/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * caller.c -- the thread that gives events to the owner's function.
 */
#include "watch/caller.h"

#include "base/thread.h"

/* Whose events this thread gives out. */
static _Thread_local const struct pinreg_events *inside;

static void *run(void *context)
{
	struct pinreg_caller *caller = context;
	struct pinreg_event event;
	inside = caller->events;
	while (!pinreg_events_wait(caller->events, &event)) {
		event.size = sizeof(event);
		caller->function(caller->context, &event);
		pinreg_events_called(caller->events);
	}
	return NULL;
}

int pinreg_caller_start(struct pinreg_caller *caller, struct pinreg_events *events,
			pinreg_event_function *function, void *context)
{
	*caller = (struct pinreg_caller){
		.events = events,
		.function = function,
		.context = context,
	};
	return function ? pinreg_thread_start(&caller->thread, "pinreg-events", run, caller) : 0;
}

void pinreg_caller_stop(struct pinreg_caller *caller)
{
	if (!caller->function)
		return;
	pinreg_events_end(caller->events);
	pthread_join(caller->thread, NULL);
}

bool pinreg_caller_inside(const struct pinreg_events *events)
{
	return inside == events;
}
