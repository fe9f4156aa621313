/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * format.c -- what FILE and its mirror look like: superblock and entries.
 */
#include "format.h"

#include "bytes.h"

#define VERSION 2u
#define SUPER_BYTES 128u       /* covered by the superblock's checksum */
#define BYTES_PER_ENTRY 32768u /* one index entry for so many bytes of file */
#define MIN_ENTRIES 64u

static const uint8_t magic[8] = { 'P', 'M', 'E', 'M', 'S', 'T', 'O', 'R' };

void format_layout(uint64_t size, struct superblock *super)
{
	uint64_t per_page = FORMAT_PAGE / FORMAT_ENTRY;
	uint64_t entries = size / BYTES_PER_ENTRY;

	if (entries < MIN_ENTRIES)
		entries = MIN_ENTRIES;
	entries = (entries + per_page - 1) / per_page * per_page;
	super->size = size;
	super->entries = entries;
	super->index_offset = FORMAT_PAGE;
	super->data_offset = FORMAT_PAGE + entries * FORMAT_ENTRY;
}

void format_encode_super(const struct superblock *super, uint8_t page[FORMAT_PAGE])
{
	memset(page, 0, FORMAT_PAGE);
	memcpy(page + 8, magic, sizeof(magic));
	put32(page + 16, VERSION);
	put32(page + 20, FORMAT_PAGE);
	put64(page + 24, super->size);
	put64(page + 32, super->entries);
	put64(page + 40, super->index_offset);
	put64(page + 48, super->data_offset);
	memcpy(page + 56, super->uuid, FORMAT_UUID);
	memcpy(page + 72, super->set, FORMAT_UUID);
	put32(page + 88, super->set_number);
	put32(page + 92, super->set_count);
	put64(page + FORMAT_SERVED_AT, super->served);
	put64(page, checksum_record(page + 8, SUPER_BYTES - 8));
}

static bool all_zero(const uint8_t *data, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (data[i])
			return false;
	}
	return true;
}

enum format_found format_decode_super(const uint8_t page[FORMAT_PAGE], struct superblock *super)
{
	struct superblock wanted;

	if (all_zero(page, SUPER_BYTES))
		return FORMAT_FREE;
	if (get64(page) != checksum_record(page + 8, SUPER_BYTES - 8) ||
	    memcmp(page + 8, magic, sizeof(magic)) != 0 || get32(page + 16) != VERSION ||
	    get32(page + 20) != FORMAT_PAGE)
		return FORMAT_DAMAGED;
	super->size = get64(page + 24);
	super->entries = get64(page + 32);
	super->index_offset = get64(page + 40);
	super->data_offset = get64(page + 48);
	memcpy(super->uuid, page + 56, FORMAT_UUID);
	memcpy(super->set, page + 72, FORMAT_UUID);
	super->set_number = get32(page + 88);
	super->set_count = get32(page + 92);
	super->served = get64(page + FORMAT_SERVED_AT) != 0;
	if (super->size < FORMAT_MIN_SIZE || super->size % FORMAT_PAGE || super->size > INT64_MAX)
		return FORMAT_DAMAGED;
	format_layout(super->size, &wanted);
	if (super->entries != wanted.entries || super->index_offset != wanted.index_offset ||
	    super->data_offset != wanted.data_offset || super->set_number >= super->set_count)
		return FORMAT_DAMAGED;
	return FORMAT_VALID;
}

void format_encode_entry(const struct entry *entry, uint8_t raw[FORMAT_ENTRY])
{
	size_t length = strlen(entry->name);

	memset(raw, 0, FORMAT_ENTRY);
	if (entry->sequence == 0)
		return;
	put64(raw + 8, entry->sequence);
	put64(raw + 16, entry->offset);
	put64(raw + 24, entry->length);
	memcpy(raw + 32, entry->sum.byte, CHECKSUM_BYTES);
	put32(raw + 48, entry->flags);
	put16(raw + 52, (uint16_t)length);
	memcpy(raw + 64, entry->name, length);
	put64(raw, checksum_record(raw + 8, FORMAT_ENTRY - 8));
}

enum format_found format_decode_entry(const uint8_t raw[FORMAT_ENTRY],
				      const struct superblock *super, struct entry *entry)
{
	size_t name_length = get16(raw + 52);
	uint64_t room = super->size - super->data_offset;

	memset(entry, 0, sizeof(*entry));
	if (get64(raw) == 0)
		return FORMAT_FREE;
	if (get64(raw) != checksum_record(raw + 8, FORMAT_ENTRY - 8) || name_length > FORMAT_NAME ||
	    !format_name_ok((const char *)raw + 64, name_length))
		return FORMAT_DAMAGED;
	entry->sequence = get64(raw + 8);
	entry->offset = get64(raw + 16);
	entry->length = get64(raw + 24);
	memcpy(entry->sum.byte, raw + 32, CHECKSUM_BYTES);
	entry->flags = get32(raw + 48);
	memcpy(entry->name, raw + 64, name_length);
	if (entry->sequence == 0 || entry->offset % FORMAT_PAGE ||
	    entry->offset < super->data_offset || entry->offset > super->size ||
	    entry->length > room ||
	    format_whole_pages(entry->length) > super->size - entry->offset) {
		memset(entry, 0, sizeof(*entry));
		return FORMAT_DAMAGED;
	}
	return FORMAT_VALID;
}

/* The components of a path must be names of their own: get-all makes files of them. */
static bool component_ok(const char *part, size_t length)
{
	return length > 0 && !(length == 1 && part[0] == '.') &&
	       !(length == 2 && part[0] == '.' && part[1] == '.');
}

bool format_name_ok(const char *name, size_t length)
{
	size_t start = 0;

	if (length == 0 || length > FORMAT_NAME)
		return false;
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c < 0x20 || c == 0x7f)
			return false;
		if (c == '/') {
			if (!component_ok(name + start, i - start))
				return false;
			start = i + 1;
		}
	}
	return component_ok(name + start, length - start);
}
