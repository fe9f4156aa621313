/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report.h -- a command, and how it says that it failed.
 */
#ifndef TOOL_REPORT_H
#define TOOL_REPORT_H

#include <stdbool.h>

#include "failure.h"
#include "options.h"

struct command {
	const char *name;
	const char *summary;  /* a line */
	const char *synopsis; /* what follows the name, lines */
	const char *example;  /* lines */
	const char *statuses; /* lines: what its exit statuses mean; NULL: as for all */
	const struct option *options;
	enum status (*run)(int argc, char **argv, struct failure *failure, bool json);
};

/* The end of every help. */
void report_statuses(void);

/* --help of a command, on stdout. */
void report_help(const struct command *command);

/*
 * The sentence on stderr, for wrong usage with how it is used; with json also
 * a document on stdout. command: NULL before one is known.
 */
void report_failure(const struct command *command, const struct failure *failure, bool json);

#endif
