/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main.c -- the tool: its commands.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <pinreg/pinreg.h>

#include "caps.h"
#include "plan.h"
#include "prepare.h"
#include "recover.h"
#include "seal.h"
#include "verify.h"

static const struct command *const commands[] = {
	&command_caps, &command_plan,	&command_prepare, &command_verify,
	&command_seal, &command_unseal, &command_recover, NULL,
};

static const struct command *find(const char *name)
{
	const struct command *const *command = commands;

	while (*command && strcmp((*command)->name, name) != 0)
		command++;
	return *command;
}

static bool has(int argc, char **argv, const char *option)
{
	for (int i = 0; i < argc; i++)
		if (strcmp(argv[i], option) == 0)
			return true;
	return false;
}

static void help(void)
{
	puts("usage: pinreg COMMAND [OPTION...]\n\n"
	     "What RDMA devices can do, how memory would be registered and why, and whether\n"
	     "files are ready for it.\n");
	for (const struct command *const *command = commands; *command; command++)
		printf("pinreg %s\n%s\n%s\n\n", (*command)->name, (*command)->summary,
		       (*command)->example);
	puts("pinreg COMMAND --help tells the options; pinreg --version the version.");
	report_statuses();
}

/* What is lost on its way out was not said. */
static enum status flush(enum status status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "pinreg: cannot write the answer: %s\n", strerror(errno));
	return STATUS_DIFFERS;
}

static enum status run(const struct command *command, int argc, char **argv, bool json)
{
	struct failure failure = { 0 };
	enum status status;

	if (has(argc, argv, "--help")) {
		report_help(command);
		return STATUS_GOOD;
	}
	status = command->run(argc, argv, &failure, json);
	if (status && failure.text[0])
		report_failure(command, &failure, json);
	return status;
}

static enum status without_command(int argc, char **argv, bool json)
{
	struct failure failure;

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		help();
		return STATUS_GOOD;
	}
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("pinreg %s\n", pinreg_version());
		return STATUS_GOOD;
	}
	if (argc > 1)
		fail(&failure, STATUS_USAGE, 0, "there is no command '%s'", argv[1]);
	else
		fail(&failure, STATUS_USAGE, 0, "a command is missing");
	report_failure(NULL, &failure, json);
	return STATUS_USAGE;
}

int main(int argc, char **argv)
{
	const struct command *command = argc > 1 ? find(argv[1]) : NULL;
	bool json = has(argc, argv, "--json");

	if (!command)
		return (int)flush(without_command(argc, argv, json));
	return (int)flush(run(command, argc - 2, argv + 2, json));
}
