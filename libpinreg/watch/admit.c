/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * admit.c -- readers in a sealed file: the lease is given up for as long as they
 * have it open, the immutable flag and the regions stay.
 */
#include <errno.h>

#include "watch/steps.h"

bool pinreg_admit(struct pinreg_file *file)
{
	struct pinreg_watch *watch = file->watch;
	/* first: who takes the flag off after the look is heard when he opens the file */
	pthread_mutex_lock(&watch->lock);
	pinreg_watch_hear_opens(file);
	pthread_mutex_unlock(&watch->lock);
	if (!pinreg_guard_holds(&file->guard, &file->prepared))
		return false;
	watch->device->sys->lease_release(file->prepared.fd);
	file->breaker = PINREG_BREAKER_READER;
	file->backoff_ns = PINREG_BACKOFF_FIRST;
	pinreg_steps_later(file, PINREG_FILE_SHARED);
	struct pinreg_event event = pinreg_steps_event(file, PINREG_EVENT_ADMITTED);
	pinreg_events_push(watch->events, &event);
	return true;
}

static void hold(struct pinreg_file *file)
{
	struct pinreg_watch *watch = file->watch;
	pthread_mutex_lock(&watch->lock);
	pinreg_watch_hear_closes(file); /* and no longer of opens */
	pthread_mutex_unlock(&watch->lock);
	pinreg_steps_enter(file, PINREG_FILE_HELD);
}

void pinreg_shared_look(struct pinreg_file *file)
{
	struct pinreg_watch *watch = file->watch;
	const struct pinreg_sys *sys = watch->device->sys;
	int status = sys->lease_take(file->prepared.fd, watch->signals.signal, watch->thread_id);
	bool possible = status != -EACCES && status != -EINVAL;
	/* after the lease: from then on nobody comes in unheard, whoever takes the flag off */
	if (!possible || !pinreg_guard_holds(&file->guard, &file->prepared))
		pinreg_steps_break(file, PINREG_BREAKER_WRITER, 0); /* he may be in already */
	else if (status)
		pinreg_steps_later(file, PINREG_FILE_SHARED);
	else
		hold(file);
}
