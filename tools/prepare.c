/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * prepare.c -- pinreg prepare: a file is made ready for registration.
 */
#include "prepare.h"

#include <fcntl.h>
#include <signal.h>
#include <time.h>

#include <pinreg/pinreg.h>

#include "blocks.h"
#include "document.h"
#include "library.h"
#include "progress.h"
#include "text.h"

#define SEALS "none|lease|immutable"

struct prepare_options {
	const char *path;
	uint64_t size;
	unsigned int seal; /* which of SEALS */
	unsigned int threads;
	bool page_cache;
	bool json;
};

/* A second ^C must still end it, so what is under way is only asked to end. */
static volatile sig_atomic_t interrupted;

static void note_interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

static int show(void *context, uint64_t done, uint64_t total)
{
	progress_show(context, done, total);
	return interrupted;
}

static int prepare(const struct prepare_options *options, struct pinreg_why *why,
		   struct pinreg_file_report *report)
{
	struct progress progress;
	struct pinreg_file_opts opts = {
		.size = sizeof(opts),
		.length = options->size,
		.create = options->size != 0,
		.allow_page_cache = options->page_cache,
		.seal = (enum pinreg_seal)(PINREG_SEAL_NONE + options->seal),
		.threads = options->threads,
		.progress = show,
		.progress_context = &progress,
	};
	struct sigaction interrupt = { .sa_handler = note_interrupt,
				       .sa_flags = (int)SA_RESETHAND };
	int ret;

	sigaction(SIGINT, &interrupt, NULL);
	sigaction(SIGTERM, &interrupt, NULL);
	progress_begin(&progress, "zeroing");
	ret = pinreg_file_prepare(AT_FDCWD, options->path, &opts, why, report);
	progress_end(&progress);
	return ret;
}

static double since_ms(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) * 1e3 +
	       (double)(now.tv_nsec - start->tv_nsec) / 1e6;
}

static void print(const struct prepare_options *options, const struct pinreg_file_report *report,
		  double time_ms, bool json)
{
	struct json_object *document;

	if (json) {
		document = doc_new(command_prepare.name);
		blocks_json(document, options->path, report, NULL);
		doc_milliseconds(document, "time_ms", time_ms);
		doc_print(document);
	} else {
		blocks_text(options->path, report, true, NULL);
		text_field("time", TEXT_PLAIN, "%.3f ms", time_ms);
	}
}

static enum status run(int argc, char **argv, struct failure *failure, bool json)
{
	struct prepare_options options = { 0 };
	struct pinreg_file_report report = { .size = sizeof(report) };
	struct pinreg_why why;
	struct timespec start;
	int ret;

	if (options_read(command_prepare.options, argc, argv, &options, failure))
		return STATUS_USAGE;
	clock_gettime(CLOCK_MONOTONIC, &start);
	ret = prepare(&options, &why, &report);
	if (ret)
		return library_refused(failure, options.path, &why, ret);
	print(&options, &report, since_ms(&start), json);
	return report.flaws ? STATUS_DIFFERS : STATUS_GOOD;
}

#define FIELD(name) offsetof(struct prepare_options, name)

static const struct option options[] = {
	{ "FILE", OPTION_OPERAND, FIELD(path), NULL, "to prepare; made with --size if missing" },
	{ "size", OPTION_SIZE, FIELD(size), "SIZE",
	  "grow it to so many bytes (default: as it is)" },
	{ "seal", OPTION_CHOICE, FIELD(seal), SEALS, "immutable: and seal it (none)" },
	{ "threads", OPTION_COUNT, FIELD(threads), "N", "that zero (default: one)" },
	{ "page-cache", OPTION_FLAG, FIELD(page_cache), NULL, "also where there is no DAX" },
	{ "json", OPTION_FLAG, FIELD(json), NULL, "print JSON, as docs/file-commands.md says" },
	{ 0 },
};

const struct command command_prepare = {
	.name = "prepare",
	.summary = "Gives every byte of a file a written block of its own, and proves it. Data\n"
		   "is kept; what held none becomes zero. On failure the file is as before.\n"
		   "SIZE is a number of bytes, or one with K, M or G: whole pages.",
	.synopsis = "FILE [--size SIZE] [--seal " SEALS "]\n"
		    "       [--threads N] [--page-cache] [--json]",
	.example = "  pinreg prepare /pmem/ext4/data --size 1G",
	.statuses = "Exit status: 0 prepared; 1 its blocks are not right even after preparing;\n"
		    "2 wrong usage; 3 refused by the library or the system.",
	.options = options,
	.run = run,
};
