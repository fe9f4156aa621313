/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loss.c -- a lease that was gone before the fence.
 */
#include "watch/loss.h"

#include <errno.h>

#include "base/why.h"
#include "watch/steps.h"

bool pinreg_loss_held(struct pinreg_file *file)
{
	const struct pinreg_sys *sys = file->watch->device->sys;
	uint64_t before = sys->now_ns();
	/* where nobody can tell, its release will */
	if (!sys->lease_held(file->prepared.fd))
		return false;
	file->held_ns = before;
	return true;
}

void pinreg_loss_release(struct pinreg_file *file)
{
	const struct pinreg_sys *sys = file->watch->device->sys;
	/* one that a reader broke is not taken away but made less, which no release tells */
	bool less = file->breaker == PINREG_BREAKER_READER && !sys->lease_held(file->prepared.fd);
	bool none = sys->lease_release(file->prepared.fd) == -EAGAIN;
	file->gone = file->leased && (less || none);
}

void pinreg_loss_tell(struct pinreg_file *file)
{
	if (!file->gone)
		return;
	struct pinreg_event event = pinreg_steps_event(file, PINREG_EVENT_LEASE_LOST);
	pinreg_why_set(&event.why, PINREG_REASON_FILE_LEASE_LOST, 0);
	event.why.wanted = file->released_ns - file->noticed_ns;
	event.why.used = file->held_ns ? file->released_ns - file->held_ns : 0;
	pinreg_log(&file->watch->device->log, PINREG_LOG_ERROR,
		   "%s: the lease was gone before the fence", file->prepared.path);
	pinreg_events_push(file->watch->events, &event);
}
