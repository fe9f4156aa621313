/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recover.c -- pinreg recover: what dead owners of files left behind.
 */
#include "recover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <pinreg/pinreg.h>

#include "document.h"
#include "records.h"
#include "size.h"
#include "text.h"

struct recover_options {
	struct operands paths;
	bool json;
};

/* What was done so far, and where it goes. */
struct recovery {
	struct json_object *files; /* NULL: text */
	enum status status;
	uint64_t left; /* files whose record stays though nobody meant it to */
};

/* Of one file. error: positive errno, 0: report is filled in. */
struct result {
	const char *path;
	int error;
	bool gone;	    /* a record without its file: nobody refused anything */
	const char *reason; /* NULL: it is not the library's */
	char sentence[512];
	struct pinreg_recovery_report report;
};

static void note(struct recovery *recovery, const struct result *result)
{
	bool left = result->error || result->report.recovery == PINREG_RECOVERY_ALIVE;
	enum status status = result->error && !result->gone ? STATUS_REFUSED : STATUS_DIFFERS;

	if (!left)
		return;
	recovery->left++;
	if (status > recovery->status)
		recovery->status = status;
}

static void print_json(struct json_object *files, const struct result *result)
{
	const struct pinreg_recovery_report *report = &result->report;
	struct json_object *file = doc_element(files);

	doc_text(file, "path", result->path);
	doc_text(file, "recovery", result->error ? NULL : pinreg_recovery_name(report->recovery));
	if (report->pid)
		doc_number(file, "pid", (uint64_t)report->pid);
	else
		doc_null(file, "pid");
	doc_number(file, "old_size", report->old_size);
	doc_number(file, "new_size", report->new_size);
	doc_errno(file, "errno", result->error);
	doc_text(file, "reason", result->reason);
	doc_text(file, "sentence", result->error ? result->sentence : NULL);
}

static void print_text(const struct result *result)
{
	const struct pinreg_recovery_report *report = &result->report;

	if (result->error) {
		text_field("failed", TEXT_BAD, "%s", result->path);
		text_field("", TEXT_PLAIN, "%s", result->sentence);
		return;
	}
	text_field(pinreg_recovery_name(report->recovery),
		   report->recovery == PINREG_RECOVERY_ALIVE ? TEXT_CAUTION : TEXT_GOOD, "%s",
		   result->path);
	switch (report->recovery) {
	case PINREG_RECOVERY_NOTHING:
		text_field("", TEXT_PLAIN, "nothing was under way");
		break;
	case PINREG_RECOVERY_ALIVE:
		text_field("", TEXT_PLAIN, "process %" PRId64 " has it and lives: nothing was done",
			   report->pid);
		break;
	case PINREG_RECOVERY_STANDING:
		text_field("", TEXT_PLAIN, "sealed on purpose: pinreg unseal takes that off");
		break;
	case PINREG_RECOVERY_UNDONE:
		text_field("", TEXT_PLAIN, "process %" PRId64 " was preparing it; %s, now %s",
			   report->pid, size_write(report->old_size).text,
			   size_write(report->new_size).text);
		break;
	case PINREG_RECOVERY_REMOVED:
		text_field("", TEXT_PLAIN, "process %" PRId64 " was making it", report->pid);
		break;
	case PINREG_RECOVERY_UNSEALED:
		text_field("", TEXT_PLAIN, "process %" PRId64 " had it sealed; it keeps its %s",
			   report->pid, size_write(report->new_size).text);
		break;
	case PINREG_RECOVERY_CLEARED:
		text_field("", TEXT_PLAIN, "process %" PRId64 " was done but for the record",
			   report->pid);
		break;
	}
}

static void finish(struct recovery *recovery, const struct result *result)
{
	note(recovery, result);
	if (recovery->files)
		print_json(recovery->files, result);
	else
		print_text(result);
}

static void recover_file(struct recovery *recovery, const char *path)
{
	struct result result = { .path = path, .report.size = sizeof(result.report) };
	struct pinreg_why why;
	int ret = pinreg_file_recover(AT_FDCWD, path, &why, &result.report);

	if (ret) {
		result.error = abs(ret);
		result.reason = pinreg_reason_name(why.reason);
		pinreg_why_describe(&why, result.sentence, sizeof(result.sentence));
	}
	finish(recovery, &result);
}

static void failed(struct recovery *recovery, const char *path, int error)
{
	struct result result = { .path = path, .error = error };

	snprintf(result.sentence, sizeof(result.sentence), "%s", strerror(error));
	finish(recovery, &result);
}

static void file_gone(struct recovery *recovery, const char *record)
{
	struct result result = { .path = record, .error = ENOENT, .gone = true };

	snprintf(result.sentence, sizeof(result.sentence),
		 "the file that this record is of is not in the directory");
	finish(recovery, &result);
}

static void recover_record(struct recovery *recovery, const char *directory,
			   const struct record *record)
{
	char *path;
	int length = record->file
			     ? asprintf(&path, "%s/%s", directory, record->file)
			     : asprintf(&path, "%s/.pinreg-%" PRIx64, directory, record->inode);

	if (length < 0) {
		failed(recovery, directory, ENOMEM);
		return;
	}
	if (record->file)
		recover_file(recovery, path);
	else
		file_gone(recovery, path);
	free(path);
}

static void recover_path(struct recovery *recovery, const char *path)
{
	struct records records;
	struct stat status;
	int error;

	/* whatever it is but a directory is for the library to look at */
	if (lstat(path, &status) || !S_ISDIR(status.st_mode)) {
		recover_file(recovery, path);
		return;
	}
	error = records_find(path, &records);
	if (error) {
		failed(recovery, path, error);
		return;
	}
	for (size_t i = 0; i < records.count; i++)
		recover_record(recovery, path, &records.list[i]);
	records_free(&records);
}

static enum status run(int argc, char **argv, struct failure *failure, bool json)
{
	struct recover_options options = { 0 };
	struct recovery recovery = { .status = STATUS_GOOD };
	struct json_object *document = NULL;

	if (options_read(command_recover.options, argc, argv, &options, failure))
		return STATUS_USAGE;
	if (json) {
		document = doc_new(command_recover.name);
		recovery.files = doc_list(document, "files");
	}
	for (int i = 0; i < options.paths.count; i++)
		recover_path(&recovery, options.paths.words[i]);
	if (json) {
		doc_number(document, "left", recovery.left);
		doc_print(document);
	}
	return recovery.status;
}

static const struct option options[] = {
	{ "PATH", OPTION_OPERANDS, offsetof(struct recover_options, paths), NULL,
	  "a file, or a directory: all with a record in it" },
	{ "json", OPTION_FLAG, offsetof(struct recover_options, json), NULL,
	  "print JSON, as docs/file-commands.md says" },
	{ 0 },
};

const struct command command_recover = {
	.name = "recover",
	.summary = "Undoes or finishes what dead processes left of preparing and sealing files,\n"
		   "by the records beside them. What a living process does is left alone, and\n"
		   "so is a seal of pinreg seal.",
	.synopsis = "PATH... [--json]",
	.example = "  pinreg recover /pmem/ext4",
	.statuses = "Exit status: 0 nothing is left; 1 a living process has one of them, or there\n"
		    "is a record without its file; 2 wrong usage; 3 one could not be recovered.",
	.options = options,
	.run = run,
};
