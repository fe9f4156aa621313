/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * thread.h -- starting a thread of the library.
 */
#ifndef PINREG_BASE_THREAD_H
#define PINREG_BASE_THREAD_H

#include <pthread.h>

/*
 * With all signals blocked: those of the application are for its own threads.
 * name: at most 15 characters; NULL: it is short-lived, and naming it would cost
 * more than starting it. 0 or -errno.
 */
int pinreg_thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *context);

#endif
