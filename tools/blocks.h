/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * blocks.h -- what a file's blocks are, as text and as JSON.
 */
#ifndef TOOL_BLOCKS_H
#define TOOL_BLOCKS_H

#include <stdbool.h>

#include <json-c/json.h>
#include <pinreg/pinreg.h>

/* The first flaws of a file: more would only be more of the same. */
#define FLAWS_LISTED 8
struct flaws {
	struct pinreg_flaw first[FLAWS_LISTED];
	unsigned int count;
};

/* A pinreg_flaw_function; context: struct flaws. */
int flaws_note(void *context, const struct pinreg_flaw *flaw);

/* prepared: also what was zeroed. flaws: NULL, or those that were found. */
void blocks_text(const char *path, const struct pinreg_file_report *report, bool prepared,
		 const struct flaws *flaws);

/* The members "path", "good", "file" and "flaws" of a document. */
void blocks_json(struct json_object *document, const char *path,
		 const struct pinreg_file_report *report, const struct flaws *flaws);

#endif
