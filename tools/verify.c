/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verify.c -- pinreg verify: is a file prepared?
 */
#include "verify.h"

#include <fcntl.h>

#include <pinreg/pinreg.h>

#include "blocks.h"
#include "document.h"
#include "library.h"

struct verify_options {
	const char *path;
	bool json;
};

static enum status run(int argc, char **argv, struct failure *failure, bool json)
{
	struct verify_options options = { 0 };
	struct pinreg_file_report report = { .size = sizeof(report) };
	struct pinreg_why why;
	struct flaws flaws = { 0 };
	struct json_object *document;
	int ret;

	if (options_read(command_verify.options, argc, argv, &options, failure))
		return STATUS_USAGE;
	ret = pinreg_file_verify(AT_FDCWD, options.path, flaws_note, &flaws, &why, &report);
	if (ret)
		return library_refused(failure, options.path, &why, ret);
	if (json) {
		document = doc_new(command_verify.name);
		blocks_json(document, options.path, &report, &flaws);
		doc_print(document);
	} else {
		blocks_text(options.path, &report, false, &flaws);
	}
	return report.flaws ? STATUS_DIFFERS : STATUS_GOOD;
}

static const struct option options[] = {
	{ "FILE", OPTION_OPERAND, offsetof(struct verify_options, path), NULL, "to look at" },
	{ "json", OPTION_FLAG, offsetof(struct verify_options, json), NULL,
	  "print JSON, as docs/file-commands.md says" },
	{ 0 },
};

const struct command command_verify = {
	.name = "verify",
	.summary = "Looks at a file's blocks: has every byte one that is written and its own?\n"
		   "Nothing is changed, and nobody who serves the file loses it.",
	.synopsis = "FILE [--json]",
	.example = "  pinreg verify /pmem/ext4/data",
	.statuses = "Exit status: 0 prepared; 1 it is not; 2 wrong usage; 3 it could not be\n"
		    "looked at, or somebody has it leased.",
	.options = options,
	.run = run,
};
