/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record.c -- a record as text.
 *
 * Lines of a name and a value in a fixed order, the last one a checksum. The
 * parser takes the values and then writes the record again: what differs in a
 * single byte, a leading zero or the checksum, is no record.
 */
#include "file/record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FIRST_LINE "pinreg record 1\n"

/* FNV-1a: against damage, not against somebody who wants to deceive. */
static uint64_t checksum(const char *text, size_t length)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
	return hash;
}

size_t pinreg_record_format(const struct pinreg_record *record, char text[PINREG_RECORD_ROOM])
{
	/* fewer than 500 bytes whatever the numbers are */
	size_t length = (size_t)snprintf(
		text, PINREG_RECORD_ROOM,
		FIRST_LINE "phase %u\ncreated %u\ndevice %" PRIu64 "\ninode %" PRIu64
			   "\ngeneration %" PRIu64 "\nborn %" PRIu64 "\nold-size %" PRIu64
			   "\nnew-size %" PRIu64 "\nflags %u %" PRIu32 " %" PRIu32 "\npid %" PRId64
			   "\nstart %" PRIu64 "\nspace %" PRIu64 "\nboot %.*s\n",
		(unsigned int)record->phase, record->created, record->device, record->inode,
		record->generation, record->born_ns, record->old_size, record->new_size,
		record->has_flags, record->old_flags.xflags, record->old_flags.extsize,
		record->owner.pid, record->owner.start, record->owner.space, PINREG_BOOT_ID - 1,
		record->owner.pid ? record->owner.boot : "-");
	length += (size_t)snprintf(text + length, PINREG_RECORD_ROOM - length,
				   "checksum %016" PRIx64 "\n", checksum(text, length));
	return length;
}

/* Where the parser is. */
struct reader {
	const char *at;
	const char *end;
	bool bad;
};

static bool take_text(struct reader *reader, const char *word)
{
	size_t length = strlen(word);
	if (!reader->bad && (size_t)(reader->end - reader->at) >= length &&
	    !memcmp(reader->at, word, length))
		reader->at += length;
	else
		reader->bad = true;
	return !reader->bad;
}

/* name, a decimal number of no more than limit. */
static uint64_t take_number(struct reader *reader, const char *name, uint64_t limit)
{
	uint64_t number = 0;
	const char *first = take_text(reader, name) ? reader->at : NULL;
	while (!reader->bad && reader->at < reader->end && *reader->at >= '0' &&
	       *reader->at <= '9') {
		uint64_t digit = (uint64_t)(*reader->at++ - '0');
		reader->bad = digit > limit || number > (limit - digit) / 10;
		number = number * 10 + digit;
	}
	reader->bad |= reader->at == first;
	return number;
}

static void take_boot(struct reader *reader, struct pinreg_owner *owner)
{
	const char *word = take_text(reader, "\nboot ") ? reader->at : NULL;
	const char *line = word ? memchr(word, '\n', (size_t)(reader->end - word)) : NULL;
	size_t length = line ? (size_t)(line - word) : 0;
	/* a zero within would end the text that is compared */
	reader->bad |= !length || length >= sizeof(owner->boot) || memchr(word, 0, length);
	if (reader->bad)
		return;
	memcpy(owner->boot, word, length);
	owner->boot[owner->pid ? length : 0] = 0;
}

int pinreg_record_parse(const char *text, size_t length, struct pinreg_record *out)
{
	struct reader reader = { .at = text, .end = text + length };
	struct pinreg_record record = { 0 };
	char again[PINREG_RECORD_ROOM];
	take_text(&reader, FIRST_LINE);
	record.phase = (enum pinreg_phase)take_number(&reader, "phase ", PINREG_PHASE_SEALED);
	record.created = take_number(&reader, "\ncreated ", 1);
	record.device = take_number(&reader, "\ndevice ", UINT64_MAX);
	record.inode = take_number(&reader, "\ninode ", UINT64_MAX);
	record.generation = take_number(&reader, "\ngeneration ", UINT64_MAX);
	record.born_ns = take_number(&reader, "\nborn ", UINT64_MAX);
	record.old_size = take_number(&reader, "\nold-size ", INT64_MAX);
	record.new_size = take_number(&reader, "\nnew-size ", INT64_MAX);
	record.has_flags = take_number(&reader, "\nflags ", 1);
	record.old_flags.xflags = (uint32_t)take_number(&reader, " ", UINT32_MAX);
	record.old_flags.extsize = (uint32_t)take_number(&reader, " ", UINT32_MAX);
	record.owner.pid = (int64_t)take_number(&reader, "\npid ", INT32_MAX);
	record.owner.start = take_number(&reader, "\nstart ", UINT64_MAX);
	record.owner.space = take_number(&reader, "\nspace ", UINT64_MAX);
	take_boot(&reader, &record.owner);
	/* what nobody is at work on is whole */
	bool standing = !record.owner.pid;
	if (reader.bad || !record.phase || !record.inode ||
	    (standing && (record.phase != PINREG_PHASE_SEALED || record.created)))
		return -EBADMSG;
	if (pinreg_record_format(&record, again) != length || memcmp(again, text, length))
		return -EBADMSG;
	*out = record;
	return 0;
}
