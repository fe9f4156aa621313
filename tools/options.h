/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.h -- the options of a command, as a table.
 *
 * Names are never abbreviated: an option added later must not change what a
 * script means. A value follows as the next word or after "=". A word that does
 * not begin with a dash is an operand, where the command has one; a path that
 * does is written ./-path.
 */
#ifndef TOOL_OPTIONS_H
#define TOOL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "failure.h"

enum option_type {
	OPTION_FLAG,	 /* bool */
	OPTION_TEXT,	 /* const char *, not empty */
	OPTION_SIZE,	 /* uint64_t, over 0 */
	OPTION_OFFSET,	 /* uint64_t */
	OPTION_PORT,	 /* unsigned int, 1 to 255 */
	OPTION_COUNT,	 /* unsigned int, 1 to 1023 */
	OPTION_CHOICE,	 /* unsigned int: which of the words */
	OPTION_OPERAND,	 /* const char *, must be given */
	OPTION_OPERANDS, /* struct operands, one or more */
};

/* In the order they were given; the words are those of argv. */
struct operands {
	char **words;
	int count;
};

/* A table ends with an empty name. Where an option is given twice the last counts. */
struct option {
	const char *name; /* without dashes; of operands as in the help */
	enum option_type type;
	size_t offset;	   /* of the field in the command's struct */
	const char *value; /* its name in the help; of a choice the words: "rw|ro" */
	const char *help;
};

/*
 * Read argv[0] to argv[argc - 1] into the fields, which must be 0 before; the
 * words change places in argv. Return: STATUS_GOOD, or STATUS_USAGE.
 */
enum status options_read(const struct option *table, int argc, char **argv, void *fields,
			 struct failure *failure);

/* What --help says about them, on stdout. */
void options_print(const struct option *table);

#endif
