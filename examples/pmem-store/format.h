/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * format.h -- what FILE and its mirror look like: superblock and entries.
 *
 * Both have the same layout, so that a byte lost in one is found at the same
 * offset of the other. All numbers are little-endian.
 *
 *   page 0        superblock
 *   page 1 ...    index: entries of 256 bytes, 16 a page
 *   after it      data: whole pages
 *
 * An entry begins with its validating word, the checksum of all the rest; 0
 * means that the entry is free. The rest is made durable first and the word,
 * 8 aligned bytes, is stored last: a torn entry is one that is not there.
 */
#ifndef PMEM_STORE_FORMAT_H
#define PMEM_STORE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checksum.h"

#define FORMAT_PAGE 4096u
#define FORMAT_ENTRY 256u
#define FORMAT_NAME 191u /* longest name, bytes */
#define FORMAT_MIN_SIZE (64u * FORMAT_PAGE)
#define FORMAT_UUID 16

/* Offset in the superblock of the word that says what follows FILE. It is outside
 * of the superblock's checksum: 8 bytes that change at once. */
#define FORMAT_FOLLOWER_AT 2048u
#define FORMAT_NO_FOLLOWER 0u
#define FORMAT_MIRROR_FOLLOWS 1u
#define FORMAT_INDEX_FOLLOWS 2u /* a copy of the index, without data */

/* Offset of the word that says that the set was served; outside of the checksum, too. */
#define FORMAT_SERVED_AT 2056u

struct superblock {
	uint64_t size; /* of the file, bytes */
	uint64_t entries;
	uint64_t index_offset;
	uint64_t data_offset;
	uint8_t uuid[FORMAT_UUID]; /* of the store: FILE and mirror carry the same */
	uint8_t set[FORMAT_UUID];  /* of the files that are served together */
	uint32_t set_number;	   /* of this file among them: 0 ... */
	uint32_t set_count;
	bool served; /* every file of the set was whole once, and clients were let in */
};

#define ENTRY_DESTROYED 1u /* the data is known to be lost */

struct entry {
	uint64_t sequence; /* later commits have higher ones; 0: the entry is free */
	uint64_t offset;   /* of the data in the file, bytes, whole pages */
	uint64_t length;   /* bytes */
	struct checksum sum;
	uint32_t flags;
	char name[FORMAT_NAME + 1];
};

enum format_found {
	FORMAT_FREE, /* all zero, or no record */
	FORMAT_VALID,
	FORMAT_DAMAGED, /* something that is not a record */
};

/* The layout for a file of this many bytes (whole pages, >= FORMAT_MIN_SIZE). */
void format_layout(uint64_t size, struct superblock *super);

void format_encode_super(const struct superblock *super, uint8_t page[FORMAT_PAGE]);
enum format_found format_decode_super(const uint8_t page[FORMAT_PAGE], struct superblock *super);

void format_encode_entry(const struct entry *entry, uint8_t raw[FORMAT_ENTRY]);
/* Also checks that the data lies inside of the data area of this store. */
enum format_found format_decode_entry(const uint8_t raw[FORMAT_ENTRY],
				      const struct superblock *super, struct entry *entry);

/* 1 to FORMAT_NAME bytes, no control characters, a relative path without "." or "..". */
bool format_name_ok(const char *name, size_t length);

static inline uint64_t format_whole_pages(uint64_t bytes)
{
	return (bytes + FORMAT_PAGE - 1) / FORMAT_PAGE * FORMAT_PAGE;
}

#endif
