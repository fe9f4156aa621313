/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * checksum.h -- XXH3: 128 bits for objects, 64 bits for records.
 *
 * It finds damage, not malice: whoever can write the file can make a match.
 */
#ifndef PMEM_STORE_CHECKSUM_H
#define PMEM_STORE_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHECKSUM_BYTES 16
#define CHECKSUM_TEXT (2 * CHECKSUM_BYTES + 1)

struct checksum {
	uint8_t byte[CHECKSUM_BYTES]; /* XXH128 in its canonical order */
};

struct checksum_stream; /* a checksum of bytes that come in pieces */

struct checksum_stream *checksum_start(void); /* NULL: no memory */
void checksum_restart(struct checksum_stream *stream);
void checksum_add(struct checksum_stream *stream, const void *data, size_t length);
struct checksum checksum_result(struct checksum_stream *stream);
void checksum_end(struct checksum_stream *stream); /* NULL does nothing */

bool checksum_equal(const struct checksum *a, const struct checksum *b);
void checksum_text(const struct checksum *sum, char text[CHECKSUM_TEXT]);

/* Of a record; never 0, so that 0 can mean "no record". */
uint64_t checksum_record(const void *data, size_t length);

#endif
