/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * threads.h -- the two loops. Their argument is the struct pinreg_watch.
 */
#ifndef PINREG_WATCH_THREADS_H
#define PINREG_WATCH_THREADS_H

void *pinreg_watcher_run(void *watch);
void *pinreg_returner_run(void *watch);

#endif
