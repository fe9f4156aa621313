/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * asleep.c -- when the watcher sleeps, and how often it went to sleep.
 */
#include "support/asleep.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "support/hooks.h"
#include "support/test.h"

#define SOURCES 4
#define TRIES 15000 /* of a millisecond */

static _Atomic(unsigned int) sleeps;
static _Atomic(bool) asleep;
static _Atomic(int) sources[SOURCES];

int asleep_wait(int event, int inotify, int signal, int device, int timeout_ms,
		struct pinreg_wakeup *out)
{
	const int fds[SOURCES] = { event, inotify, signal, device };
	for (int i = 0; i < SOURCES; i++)
		sources[i] = fds[i];
	sleeps++;
	asleep = true;
	int status = pinreg_sys_real.wait(event, inotify, signal, device, timeout_ms, out);
	/* before what woke it is read, so one of the two is always seen */
	asleep = false;
	return status;
}

static bool is_quiet(void)
{
	struct pollfd polls[SOURCES];
	for (int i = 0; i < SOURCES; i++)
		polls[i] = (struct pollfd){ .fd = sources[i], .events = POLLIN };
	return poll(polls, SOURCES, 0) == 0;
}

unsigned int asleep_settle(void)
{
	for (unsigned int i = 0; i < TRIES; i++) {
		unsigned int before = sleeps;
		if (before && asleep && is_quiet() && asleep && sleeps == before)
			return before;
		hooks_nap(1);
	}
	fail_msg("the watcher does not go to sleep");
	return 0;
}

unsigned int asleep_count(void)
{
	return sleeps;
}
