/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * thread.c -- starting a thread of the library.
 */
#include "base/thread.h"

#include <signal.h>

int pinreg_thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *context)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int status = pthread_create(thread, NULL, run, context);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!status && name)
		pthread_setname_np(*thread, name);
	return -status;
}
