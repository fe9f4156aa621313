/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * why.h -- filling in a reason.
 */
#ifndef PINREG_BASE_WHY_H
#define PINREG_BASE_WHY_H

#include <pinreg/reason.h>

/* Set *why (may be NULL) to reason alone and return error, 0 or -errno. */
int pinreg_why_set(struct pinreg_why *why, enum pinreg_reason reason, int error);

/* The same for a system call of that name that returned status, -errno. */
int pinreg_why_call(struct pinreg_why *why, enum pinreg_reason reason, const char *step,
		    int status);

#endif
