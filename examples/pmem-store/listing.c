/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listing.c -- read the server's index by RDMA, without asking the server.
 *
 * The server may be writing an entry while we read it. Every entry carries its
 * checksum, so a torn read is seen, and reading again settles it.
 */
#include "listing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "connect.h"

static int by_name_then_newest(const void *a, const void *b)
{
	const struct entry *left = a;
	const struct entry *right = b;
	int order = strcmp(left->name, right->name);

	if (order)
		return order;
	return left->sequence < right->sequence ? 1 : left->sequence > right->sequence ? -1 : 0;
}

/* While an object is overwritten both versions are there: the newer one counts. */
static size_t newest_only(struct entry *entries, size_t count)
{
	size_t kept = 0;

	qsort(entries, count, sizeof(*entries), by_name_then_newest);
	for (size_t i = 0; i < count; i++) {
		if (kept == 0 || strcmp(entries[kept - 1].name, entries[i].name) != 0)
			entries[kept++] = entries[i];
	}
	return kept;
}

/* Return: 0, or 1 when something is not as a server would write it. */
static int decode(const uint8_t *raw, uint64_t length, struct entry *entries, size_t *count)
{
	struct superblock super;

	*count = 0;
	if (format_decode_super(raw, &super) != FORMAT_VALID || super.data_offset != length)
		return 1;
	for (uint64_t i = 0; i < super.entries; i++) {
		const uint8_t *at = raw + super.index_offset + i * FORMAT_ENTRY;

		switch (format_decode_entry(at, &super, &entries[*count])) {
		case FORMAT_VALID:
			++*count;
			break;
		case FORMAT_FREE:
			break;
		case FORMAT_DAMAGED:
			return 1;
		}
	}
	*count = newest_only(entries, *count);
	return 0;
}

int listing_read(struct client *client, struct entry **entries, size_t *count)
{
	struct message *hello = &client->hello;
	struct superblock layout;
	uint8_t *raw;
	int ret;

	if (hello->store_size < FORMAT_MIN_SIZE || hello->store_size % FORMAT_PAGE)
		return -EBADMSG;
	format_layout(hello->store_size, &layout);
	if (hello->range.length != layout.data_offset)
		return -EBADMSG;
	raw = malloc(layout.data_offset);
	*entries = calloc(layout.entries, sizeof(**entries));
	if (!raw || !*entries)
		ret = -ENOMEM;
	else
		ret = connect_transfer(client, false, &hello->range, raw, layout.data_offset);
	if (ret == 0)
		ret = decode(raw, layout.data_offset, *entries, count);
	free(raw);
	if (ret) {
		free(*entries);
		*entries = NULL;
	}
	return ret;
}
