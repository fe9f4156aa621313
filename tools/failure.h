/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * failure.h -- why the tool ends early, and with which exit status.
 */
#ifndef TOOL_FAILURE_H
#define TOOL_FAILURE_H

enum status {
	STATUS_GOOD = 0,
	STATUS_DIFFERS = 1, /* plan and outcome disagree, or a file is not as it must be */
	STATUS_USAGE = 2,   /* the command line is wrong, whatever the machine */
	STATUS_REFUSED = 3, /* the library or the system said no */
};

struct failure {
	enum status status;
	int error; /* the errno behind it, or 0 */
	char text[768];
};

/* Fills *failure. error: positive errno, or 0. Return: status. */
enum status fail(struct failure *failure, enum status status, int error, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif
