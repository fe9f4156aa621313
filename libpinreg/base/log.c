/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log.c -- formatting a line and handing it on.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

void pinreg_log(const struct pinreg_log *log, enum pinreg_log_level level, const char *format, ...)
{
	if (!log->call)
		return;
	int kept = errno;
	char line[512];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	log->call(log->context, level, line);
	errno = kept;
}
