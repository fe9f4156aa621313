/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * why.c -- filling in a reason.
 */
#include "base/why.h"

#include <stdio.h>

int pinreg_why_set(struct pinreg_why *why, enum pinreg_reason reason, int error)
{
	if (why)
		*why = (struct pinreg_why){ .reason = reason, .error = error };
	return error;
}

int pinreg_why_call(struct pinreg_why *why, enum pinreg_reason reason, const char *step, int status)
{
	pinreg_why_set(why, reason, status);
	if (why) {
		why->os_error = -status;
		snprintf(why->step, sizeof(why->step), "%s", step);
	}
	return status;
}
