/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * index.c -- the objects, in memory, and the free space that follows from them.
 */
#include "index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int index_make(const struct superblock *super, struct index *index)
{
	memset(index, 0, sizeof(*index));
	index->super = *super;
	index->pages = (super->size - super->data_offset) / FORMAT_PAGE;
	index->entries = calloc(super->entries, sizeof(*index->entries));
	index->used = calloc(index->pages, 1);
	if (!index->entries || !index->used) {
		index_free(index);
		return -ENOMEM;
	}
	return 0;
}

void index_free(struct index *index)
{
	free(index->entries);
	free(index->used);
	memset(index, 0, sizeof(*index));
}

struct entry *index_find(struct index *index, const char *name)
{
	struct entry *newest = NULL;

	for (uint64_t i = 0; i < index->super.entries; i++) {
		struct entry *entry = &index->entries[i];

		if (entry->sequence && (!newest || entry->sequence > newest->sequence) &&
		    strcmp(entry->name, name) == 0)
			newest = entry;
	}
	return newest;
}

struct entry *index_spare(struct index *index)
{
	for (uint64_t i = 0; i < index->super.entries; i++) {
		if (index->entries[i].sequence == 0)
			return &index->entries[i];
	}
	return NULL;
}

size_t index_number(const struct index *index, const struct entry *entry)
{
	return (size_t)(entry - index->entries);
}

static uint64_t page_of(const struct index *index, uint64_t offset)
{
	return (offset - index->super.data_offset) / FORMAT_PAGE;
}

static void take(struct index *index, uint64_t first, uint64_t count)
{
	for (uint64_t page = first; page < first + count; page++)
		index->pages_used += index->used[page]++ == 0;
}

/* First fit in [from, to). */
static bool find_room(const struct index *index, uint64_t from, uint64_t to, uint64_t count,
		      uint64_t *first)
{
	uint64_t run = 0;

	for (uint64_t page = from; page < to; page++) {
		run = index->used[page] ? 0 : run + 1;
		if (run == count) {
			*first = page + 1 - count;
			return true;
		}
	}
	return false;
}

bool index_reserve(struct index *index, uint64_t length, uint64_t *offset)
{
	uint64_t count = length / FORMAT_PAGE + (length % FORMAT_PAGE != 0);
	uint64_t first;

	if (count > index->pages - index->pages_used)
		return false;
	if (count == 0) {
		*offset = index->super.data_offset;
		return true;
	}
	if (!find_room(index, index->next_page, index->pages, count, &first) &&
	    !find_room(index, 0, index->pages, count, &first))
		return false;
	take(index, first, count);
	index->next_page = first + count;
	*offset = index->super.data_offset + first * FORMAT_PAGE;
	return true;
}

void index_release(struct index *index, uint64_t offset, uint64_t length)
{
	uint64_t first = page_of(index, offset);
	uint64_t count = format_whole_pages(length) / FORMAT_PAGE;

	for (uint64_t page = first; page < first + count; page++)
		index->pages_used -= --index->used[page] == 0;
}

void index_claim(struct index *index, uint64_t offset, uint64_t length)
{
	take(index, page_of(index, offset), format_whole_pages(length) / FORMAT_PAGE);
}

uint64_t index_free_bytes(const struct index *index)
{
	return (index->pages - index->pages_used) * FORMAT_PAGE;
}
