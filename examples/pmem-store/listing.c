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

/* The index of one file. Return also: 2 when it is away. */
static int read_index(struct client *client, uint32_t file, struct entry **entries, size_t *count)
{
	struct span span = { .file = file, .part = REMOTE_INDEX };
	struct pinreg_descriptor now;
	struct superblock layout;
	struct entry *more;
	uint8_t *raw;
	int ret;

	if (remotes_get(&client->remotes, file, REMOTE_INDEX, &now) != 0)
		return 2;
	format_layout(client->remotes.files[file].size, &layout);
	span.generation = now.generation;
	span.length = layout.data_offset;
	more = reallocarray(*entries, *count + layout.entries, sizeof(**entries));
	if (!more)
		return -ENOMEM;
	*entries = more;
	raw = malloc(layout.data_offset);
	if (!raw)
		return -ENOMEM;
	ret = connect_transfer(client, false, &span, raw, layout.data_offset);
	if (ret == 0)
		ret = decode(raw, layout.data_offset, *entries, count);
	else if (ret > 0)
		ret = 2;
	free(raw);
	return ret;
}

/* The answers also bring what was pushed while nobody looked. */
static int count_moves(struct client *client, uint64_t *moves)
{
	struct message request = { .type = WIRE_HELLO };
	struct message answer;
	int ret = connect_call(client, &request, &answer);

	if (ret == 0 && answer.status != WIRE_OK)
		ret = -EBADMSG;
	*moves = answer.sequence;
	return ret;
}

int listing_read(struct client *client, struct entry **entries, size_t *count, uint32_t *away)
{
	uint64_t before;
	uint64_t after;
	int ret = count_moves(client, &before);

	*entries = NULL;
	*count = 0;
	for (uint32_t file = 0; ret == 0 && file < client->remotes.count; file++) {
		ret = read_index(client, file, entries, count);
		*away = file;
	}
	if (ret == 0)
		ret = count_moves(client, &after);
	if (ret == 0 && before != after)
		ret = 1;
	if (ret) {
		free(*entries);
		*entries = NULL;
	} else {
		*count = newest_only(*entries, *count);
	}
	return ret;
}
