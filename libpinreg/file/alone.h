/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * alone.h -- a lease for the length of one call, without a watcher: nobody else
 * has the file open meanwhile, and who comes is seen by pinreg_tenure_check().
 */
#ifndef PINREG_FILE_ALONE_H
#define PINREG_FILE_ALONE_H

#include <signal.h>

#include "file/tenure.h"

struct pinreg_alone {
	const struct pinreg_sys *sys;
	int fd;
	int signal;
	sigset_t before; /* signal mask of the calling thread */
	_Atomic(bool) give_up;
	struct pinreg_tenure tenure;
};

/* Take it. 0, or -errno with *why, which is not NULL. */
int pinreg_alone_begin(struct pinreg_alone *alone, const struct pinreg_sys *sys, int fd,
		       struct pinreg_why *why);

/* Give it back; in the same thread. */
void pinreg_alone_end(struct pinreg_alone *alone);

#endif
