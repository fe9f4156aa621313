/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listing.c -- read the server's indexes by RDMA: all there is, without asking for it.
 *
 * The server may be writing an entry while we read it. Every entry carries its
 * checksum, so a torn read is seen, and reading again settles it. An object may go
 * from a file that we read later to one that we have read: the server counts such
 * moves, before the old entry is erased, and if the count has changed we read again.
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

/* While an object is overwritten both versions are there, or it moves: the newer one counts. */
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

/* Add to the entries. Return: 0, or 1 when something is not as a server would write it. */
static int decode(const uint8_t *raw, uint64_t length, struct entry *entries, size_t *count)
{
	struct superblock super;

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
	return 0;
}

/* The index of one file, as the answer tells. */
static int read_index(struct client *client, const struct message *answer, struct entry **entries,
		      size_t *count)
{
	struct superblock layout;
	struct entry *more;
	uint8_t *raw;
	int ret;

	if (answer->store_size < FORMAT_MIN_SIZE || answer->store_size % FORMAT_PAGE)
		return -EBADMSG;
	format_layout(answer->store_size, &layout);
	if (answer->range.length != layout.data_offset)
		return -EBADMSG;
	more = reallocarray(*entries, *count + layout.entries, sizeof(**entries));
	if (!more)
		return -ENOMEM;
	*entries = more;
	raw = malloc(layout.data_offset);
	if (!raw)
		return -ENOMEM;
	ret = connect_transfer(client, false, &answer->range, raw, layout.data_offset);
	if (ret == 0)
		ret = decode(raw, layout.data_offset, *entries, count);
	free(raw);
	return ret;
}

static int ask(struct client *client, enum wire_type type, uint32_t file, struct message *answer)
{
	struct message request = { .type = type, .file = file };
	int ret = connect_call(client, &request, answer);

	return ret ? ret : answer->status == WIRE_OK ? 0 : 2;
}

static int read_all(struct client *client, struct entry **entries, size_t *count,
		    struct message *answer)
{
	uint64_t moves;
	int ret = ask(client, WIRE_HELLO, 0, answer);

	if (ret)
		return ret;
	moves = answer->sequence;
	for (uint32_t file = 0; ret == 0 && file < client->hello.file; file++) {
		ret = ask(client, WIRE_INDEX, file, answer);
		if (ret == 0)
			ret = read_index(client, answer, entries, count);
	}
	if (ret == 0)
		ret = ask(client, WIRE_HELLO, 0, answer);
	return ret ? ret : answer->sequence == moves ? 0 : 1;
}

int listing_read(struct client *client, struct entry **entries, size_t *count,
		 struct message *answer)
{
	int ret;

	*entries = NULL;
	*count = 0;
	ret = read_all(client, entries, count, answer);
	if (ret) {
		free(*entries);
		*entries = NULL;
	} else {
		*count = newest_only(*entries, *count);
	}
	return ret;
}
