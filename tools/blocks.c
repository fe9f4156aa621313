/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * blocks.c -- what a file's blocks are, as text and as JSON.
 */
#include "blocks.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "document.h"
#include "size.h"
#include "text.h"
#include "words.h"

int flaws_note(void *context, const struct pinreg_flaw *flaw)
{
	struct flaws *flaws = context;

	if (flaws->count < FLAWS_LISTED)
		flaws->first[flaws->count++] = *flaw;
	return 0;
}

static void print_flaws(const struct pinreg_file_report *report, const struct flaws *flaws)
{
	const char *label = "first flaws";

	for (unsigned int i = 0; i < flaws->count; i++) {
		const struct pinreg_flaw *flaw = &flaws->first[i];
		char words[128] = "a hole";

		if (flaw->flags)
			words_join(words_extent, flaw->flags, words, sizeof(words));
		text_field(label, TEXT_PLAIN, "%s at %" PRIu64 ": %s",
			   size_write(flaw->length).text, flaw->offset, words);
		label = "";
	}
	if (report->flaws > flaws->count)
		text_field("", TEXT_PLAIN, "and %" PRIu64 " more", report->flaws - flaws->count);
}

/* The bytes that are not plainly written, of each kind that there is. */
static void print_bytes(const struct pinreg_file_report *report)
{
	const struct {
		uint64_t bytes;
		const char *what;
	} kinds[] = {
		{ report->holes, "without a block" },
		{ report->unwritten, "never written" },
		{ report->shared, "shared with other files" },
		{ report->other, "inline, encoded, unaligned or not placed" },
	};

	for (unsigned int i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].bytes)
			text_field("", TEXT_PLAIN, "%s %s", size_write(kinds[i].bytes).text,
				   kinds[i].what);
}

void blocks_text(const char *path, const struct pinreg_file_report *report, bool prepared,
		 const struct flaws *flaws)
{
	text_field("file", TEXT_PLAIN, "%s", path);
	text_field("", TEXT_PLAIN, "%s, %s%s", size_write(report->file_size).text,
		   report->dax ? "in DAX state" : "in page cache",
		   report->immutable ? ", immutable" : "");
	if (report->flaws)
		text_field("blocks", TEXT_BAD, "NOT PREPARED: %" PRIu64 " flaw%s", report->flaws,
			   report->flaws == 1 ? "" : "s");
	else
		text_field("blocks", TEXT_GOOD, "prepared: every byte has a written block");
	print_bytes(report);
	text_field("extents", TEXT_PLAIN, "%" PRIu64, report->extents);
	if (report->block_map)
		text_field("block map", TEXT_PLAIN, "0x%016" PRIx64, report->block_map);
	if (report->dax)
		text_field("huge pages", TEXT_PLAIN, "can map %s", size_write(report->huge).text);
	if (prepared)
		text_field("zeroed", TEXT_PLAIN, "%s", size_write(report->zeroed).text);
	if (flaws)
		print_flaws(report, flaws);
}

static void add_flaws(struct json_object *document, const struct flaws *flaws)
{
	struct json_object *list = doc_list(document, "flaws");

	for (unsigned int i = 0; flaws && i < flaws->count; i++) {
		struct json_object *flaw = doc_element(list);

		doc_number(flaw, "offset", flaws->first[i].offset);
		doc_number(flaw, "length", flaws->first[i].length);
		doc_words(flaw, "flags", words_extent, flaws->first[i].flags);
	}
}

void blocks_json(struct json_object *document, const char *path,
		 const struct pinreg_file_report *report, const struct flaws *flaws)
{
	struct json_object *file;
	char device[32];

	snprintf(device, sizeof(device), "%u:%u", major(report->device), minor(report->device));
	doc_text(document, "path", path);
	doc_bool(document, "good", !report->flaws);
	file = doc_child(document, "file");
	doc_number(file, "size", report->file_size);
	doc_text(file, "device", device);
	doc_number(file, "inode", report->inode);
	if (report->inode_generation)
		doc_number(file, "inode_generation", report->inode_generation);
	else
		doc_null(file, "inode_generation");
	doc_bool(file, "dax", report->dax);
	doc_bool(file, "immutable", report->immutable);
	doc_number(file, "extents", report->extents);
	if (report->block_map)
		doc_address(file, "block_map", report->block_map);
	else
		doc_null(file, "block_map");
	doc_number(file, "huge", report->huge);
	doc_number(file, "zeroed", report->zeroed);
	doc_number(file, "flaws", report->flaws);
	doc_number(file, "holes", report->holes);
	doc_number(file, "unwritten", report->unwritten);
	doc_number(file, "shared", report->shared);
	doc_number(file, "other", report->other);
	add_flaws(document, flaws);
}
