/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_descriptor.c -- whatever arrives as a descriptor.
 *
 * Nothing may crash, and what is accepted is exactly what can be exported: the
 * reader here takes the fields from where docs/descriptor.md has them, without a
 * check. If the library makes the same bytes of those fields it must have accepted
 * them, and if not, refused.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pinreg/descriptor.h>

#include "fuzz/fuzz.h"

#define BYTES PINREG_DESCRIPTOR_LENGTH
#define CHECKED 60

static uint64_t field(const uint8_t *at, unsigned int bytes)
{
	uint64_t value = 0;
	while (bytes--)
		value = value << 8 | at[bytes];
	return value;
}

static struct pinreg_descriptor read_unchecked(const uint8_t *from)
{
	return (struct pinreg_descriptor){
		.size = sizeof(struct pinreg_descriptor),
		.flags = (unsigned int)field(from + 8, 2),
		.method = (enum pinreg_method)from[10],
		.granularity = (enum pinreg_granularity)from[11],
		.access = (unsigned int)field(from + 12, 4),
		.id = field(from + 16, 8),
		.generation = field(from + 24, 8),
		.addr = field(from + 32, 8),
		.length = field(from + 40, 8),
		.rkey = (uint32_t)field(from + 48, 4),
		.mtu = (unsigned int)field(from + 52, 2),
	};
}

/* Bit by bit, as the polynomial says. */
static uint32_t checksum(const uint8_t *data)
{
	uint32_t crc = UINT32_MAX;
	for (int i = 0; i < CHECKED * 8; i++) {
		crc ^= data[i / 8] >> i % 8 & 1;
		crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
	}
	return ~crc;
}

static void fail(const char *what, const uint8_t *data, size_t size)
{
	fprintf(stderr, "%s:", what);
	for (size_t i = 0; i < size; i++)
		fprintf(stderr, " %02x", data[i]);
	fprintf(stderr, "\n");
	abort();
}

static bool check(const uint8_t *data, size_t size)
{
	struct pinreg_descriptor it = { .size = sizeof(it) };
	uint8_t again[BYTES];
	int status = pinreg_descriptor_import(data, size, &it);
	if (status && status != -EBADMSG)
		fail("neither accepted nor refused", data, size);
	if (!status && (size != BYTES || pinreg_descriptor_export(&it, again, BYTES) ||
			memcmp(again, data, BYTES)))
		fail("accepted, but not exported the same", data, size);
	if (size != BYTES)
		return !status;
	struct pinreg_descriptor raw = read_unchecked(data);
	bool possible =
		!pinreg_descriptor_export(&raw, again, BYTES) && !memcmp(again, data, BYTES);
	if (possible != !status)
		fail(possible ? "can be exported, but is refused" : "accepted, but not possible",
		     data, size);
	return !status;
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	bool accepted = check(data, size);
	if (size < CHECKED)
		return accepted;
	/* few would get past the checksum */
	uint8_t repaired[BYTES];
	memcpy(repaired, data, CHECKED);
	uint32_t right = checksum(repaired);
	for (int i = 0; i < 4; i++)
		repaired[CHECKED + i] = (uint8_t)(right >> 8 * i);
	return check(repaired, BYTES) || accepted;
}
