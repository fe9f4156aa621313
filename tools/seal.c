/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seal.c -- pinreg seal and unseal: nobody opens a prepared file for writing.
 */
#include "seal.h"

#include <fcntl.h>

#include <pinreg/pinreg.h>

#include "document.h"
#include "library.h"
#include "text.h"

struct seal_options {
	const char *path;
	bool json;
};

typedef int change_function(int dirfd, const char *path, struct pinreg_why *why);

static enum status run(const struct command *command, change_function *change, bool sealed,
		       char **argv, int argc, struct failure *failure, bool json)
{
	struct seal_options options = { 0 };
	struct pinreg_why why;
	struct json_object *document;
	int ret;

	if (options_read(command->options, argc, argv, &options, failure))
		return STATUS_USAGE;
	ret = change(AT_FDCWD, options.path, &why);
	if (ret)
		return library_refused(failure, options.path, &why, ret);
	if (json) {
		document = doc_new(command->name);
		doc_text(document, "path", options.path);
		doc_bool(document, "sealed", sealed);
		doc_print(document);
		return STATUS_GOOD;
	}
	text_field("file", TEXT_PLAIN, "%s", options.path);
	if (sealed)
		text_field("sealed", TEXT_GOOD, "nobody opens it for writing until pinreg unseal");
	else
		text_field("unsealed", TEXT_GOOD, "its flags are as before the seal");
	return STATUS_GOOD;
}

static enum status run_seal(int argc, char **argv, struct failure *failure, bool json)
{
	return run(&command_seal, pinreg_file_seal, true, argv, argc, failure, json);
}

static enum status run_unseal(int argc, char **argv, struct failure *failure, bool json)
{
	return run(&command_unseal, pinreg_file_unseal, false, argv, argc, failure, json);
}

static const struct option options[] = {
	{ "FILE", OPTION_OPERAND, offsetof(struct seal_options, path), NULL, "a prepared file" },
	{ "json", OPTION_FLAG, offsetof(struct seal_options, json), NULL,
	  "print JSON, as docs/file-commands.md says" },
	{ 0 },
};

const struct command command_seal = {
	.name = "seal",
	.summary = "Makes a prepared file immutable, and records the flags it had beside it:\n"
		   "nobody can open it for writing, truncate, rename or remove it. Belongs to\n"
		   "no process and outlives all of them. Needs CAP_LINUX_IMMUTABLE.",
	.synopsis = "FILE [--json]",
	.example = "  pinreg seal /pmem/ext4/data",
	.statuses = "Exit status: 0 sealed; 1 it is not prepared; 2 wrong usage; 3 refused by the\n"
		    "library or the system.",
	.options = options,
	.run = run_seal,
};

const struct command command_unseal = {
	.name = "unseal",
	.summary = "Takes a seal off that pinreg seal or prepare has put on.",
	.synopsis = "FILE [--json]",
	.example = "  pinreg unseal /pmem/ext4/data",
	.statuses = "Exit status: 0 unsealed; 2 wrong usage; 3 refused by the library or the\n"
		    "system, also where there is no seal of pinreg's.",
	.options = options,
	.run = run_unseal,
};
