/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * asleep.h -- when the watcher sleeps, and how often it went to sleep.
 */
#ifndef PINREG_TESTS_SUPPORT_ASLEEP_H
#define PINREG_TESTS_SUPPORT_ASLEEP_H

#include "sys/sys.h"

/* For hooks.wait, of one domain at a time. */
int asleep_wait(int event, int inotify, int signal, int device, int timeout_ms,
		struct pinreg_wakeup *out);

/*
 * Wait until it sleeps and nothing is there that would wake it. So what this thread did
 * before has been looked at. Gives how often it went to sleep until then.
 */
unsigned int asleep_settle(void);

unsigned int asleep_count(void);

#endif
