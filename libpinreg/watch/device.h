/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device.h -- telling the owner what becomes of the device.
 */
#ifndef PINREG_WATCH_DEVICE_H
#define PINREG_WATCH_DEVICE_H

#include "watch/watch.h"

/* Listen from now on, and start the threads. 0 or -errno. */
int pinreg_watch_device(struct pinreg_watch *watch);

/* In the watcher, without lock: make events of all that is new. */
void pinreg_watch_device_news(struct pinreg_watch *watch);

/* ASSUMPTIONS: the threads have ended. */
void pinreg_watch_device_end(struct pinreg_watch *watch);

#endif
