/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * checksum.c -- XXH3: 128 bits for objects, 64 bits for records.
 */
#include "checksum.h"

#include <stdio.h>
#include <string.h>

#include <xxhash.h>

/* libxxhash's own state type is opaque here; the names only differ. */
struct checksum_stream *checksum_start(void)
{
	XXH3_state_t *state = XXH3_createState();

	if (state)
		XXH3_128bits_reset(state);
	return (struct checksum_stream *)state;
}

void checksum_restart(struct checksum_stream *stream)
{
	XXH3_128bits_reset((XXH3_state_t *)stream);
}

void checksum_add(struct checksum_stream *stream, const void *data, size_t length)
{
	XXH3_128bits_update((XXH3_state_t *)stream, data, length);
}

struct checksum checksum_result(struct checksum_stream *stream)
{
	XXH128_canonical_t canonical;
	struct checksum sum;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest((XXH3_state_t *)stream));
	memcpy(sum.byte, canonical.digest, sizeof(sum.byte));
	return sum;
}

void checksum_end(struct checksum_stream *stream)
{
	XXH3_freeState((XXH3_state_t *)stream);
}

bool checksum_equal(const struct checksum *a, const struct checksum *b)
{
	return memcmp(a->byte, b->byte, sizeof(a->byte)) == 0;
}

void checksum_text(const struct checksum *sum, char text[CHECKSUM_TEXT])
{
	for (size_t i = 0; i < CHECKSUM_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", sum->byte[i]);
}

uint64_t checksum_record(const void *data, size_t length)
{
	uint64_t sum = XXH3_64bits(data, length);

	return sum ? sum : 1;
}
