/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report.c -- a command, and how it says that it failed.
 */
#include "report.h"

#include <stdio.h>

#include "document.h"

void report_statuses(void)
{
	puts("\nExit status: 0 good; 1 plan and outcome disagree, or not done as asked;\n"
	     "2 wrong usage; 3 refused by the library or the system.");
}

static void print_synopsis(const struct command *command, FILE *to)
{
	fprintf(to, "usage: pinreg %s %s\n", command->name, command->synopsis);
}

void report_help(const struct command *command)
{
	print_synopsis(command, stdout);
	printf("\n%s\n\n", command->summary);
	options_print(command->options);
	if (command->statuses)
		printf("\n%s\n", command->statuses);
	else
		report_statuses();
	printf("\nExample:\n%s\n", command->example);
}

static void print_document(const struct command *command, const struct failure *failure)
{
	struct json_object *document = doc_new(command ? command->name : NULL);
	struct json_object *error = doc_child(document, "error");

	doc_number(error, "status", failure->status);
	doc_errno(error, "errno", failure->error);
	doc_text(error, "message", failure->text);
	doc_print(document);
}

void report_failure(const struct command *command, const struct failure *failure, bool json)
{
	fprintf(stderr, "pinreg%s%s: %s\n", command ? " " : "", command ? command->name : "",
		failure->text);
	if (failure->status == STATUS_USAGE) {
		if (command)
			print_synopsis(command, stderr);
		else
			fputs("usage: pinreg COMMAND [OPTION...]; pinreg --help lists them\n",
			      stderr);
	}
	if (json)
		print_document(command, failure);
}
