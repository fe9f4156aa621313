/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * failure.c -- why the tool ends early, and with which exit status.
 */
#include "failure.h"

#include <stdarg.h>
#include <stdio.h>

enum status fail(struct failure *failure, enum status status, int error, const char *format, ...)
{
	va_list args;

	failure->status = status;
	failure->error = error;
	va_start(args, format);
	vsnprintf(failure->text, sizeof(failure->text), format, args);
	va_end(args);
	return status;
}
