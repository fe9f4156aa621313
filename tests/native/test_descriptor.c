/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_descriptor.c -- the 64 bytes, field by field, and what is refused.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pinreg/pinreg.h>

#include "base/crc32.h"
#include "support/test.h"

#define BYTES PINREG_DESCRIPTOR_LENGTH

/* The one of docs/descriptor.md. */
static const struct pinreg_descriptor example = {
	.size = sizeof(example),
	.method = PINREG_METHOD_ODP,
	.granularity = PINREG_GRANULARITY_PAGE,
	.access = PINREG_REMOTE_WRITE | PINREG_REMOTE_READ,
	.id = 0x0123456789abcdef,
	.generation = 2,
	.addr = 0x7f3a5c000000,
	.length = 64 << 20,
	.rkey = 0x1a2b,
	.mtu = 4096,
};

static void crc32__check_value(void **state)
{
	(void)state;
	assert_int_equal(pinreg_crc32("123456789", 9), 0xcbf43926);
	assert_int_equal(pinreg_crc32("", 0), 0);
}

/* The bytes in the dump of the document: lines of an offset and 16 bytes. */
static size_t documented(unsigned char *bytes, size_t room)
{
	char path[512], line[512];
	size_t count = 0;
	snprintf(path, sizeof(path), "%s/docs/descriptor.md", getenv("PINREG_SOURCE_DIR"));
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		unsigned int offset;
		int at;
		if (strncmp(line, "    ", 4) || sscanf(line, "%2x  %n", &offset, &at) != 1 ||
		    offset != count)
			continue;
		for (char *next = line + at, *end; count < room; next = end) {
			unsigned long byte = strtoul(next, &end, 16);
			if (end == next)
				break;
			bytes[count++] = (unsigned char)byte;
		}
	}
	fclose(file);
	return count;
}

static void descriptor__example_of_the_document(void **state)
{
	(void)state;
	unsigned char theirs[BYTES], ours[BYTES];
	struct pinreg_descriptor it = { .size = sizeof(it) };
	assert_int_equal(documented(theirs, sizeof(theirs)), BYTES);
	test_ok(pinreg_descriptor_export(&example, ours, sizeof(ours)));
	assert_memory_equal(ours, theirs, BYTES);
	test_ok(pinreg_descriptor_import(theirs, BYTES, &it));
	assert_memory_equal(&it, &example, sizeof(it));
}

/* With a right checksum it is refused all the same; and the example is not. */
static void refused_with(size_t at, unsigned char value, const char *what)
{
	unsigned char bytes[BYTES];
	struct pinreg_descriptor it = { .size = sizeof(it), .id = 5 };
	test_ok(pinreg_descriptor_export(&example, bytes, sizeof(bytes)));
	assert_int_not_equal(bytes[at], value);
	bytes[at] = value;
	uint32_t checksum = pinreg_crc32(bytes, 60);
	for (int i = 0; i < 4; i++)
		bytes[60 + i] = (unsigned char)(checksum >> 8 * i);
	if (pinreg_descriptor_import(bytes, BYTES, &it) != -EBADMSG)
		fail_msg("accepted: %s", what);
	assert_int_equal(it.id, 5);
}

static void descriptor__each_flaw_of_the_frame(void **state)
{
	(void)state;
	for (size_t i = 0; i < 4; i++)
		refused_with(i, 'x', "magic");
	refused_with(4, 0, "version 0");
	refused_with(4, 2, "version 2");
	refused_with(5, 1, "version 257");
	refused_with(6, 63, "length 63");
	refused_with(7, 1, "length 320");
	for (size_t i = 54; i < 60; i++)
		refused_with(i, 0x80, "reserved");
}

static void descriptor__each_flaw_of_a_field(void **state)
{
	(void)state;
	refused_with(8, 2, "gone, and not revoked");
	refused_with(8, 1, "revoked, and an rkey");
	refused_with(8, 4, "unknown flag");
	refused_with(9, 1, "unknown flag");
	refused_with(10, 0, "method auto");
	refused_with(10, 5, "method refuse");
	refused_with(10, 1, "an MTU, and pinned");
	refused_with(11, 2, "granularity 2");
	refused_with(12, 0, "no access");
	refused_with(12, 0x23, "unknown access");
	refused_with(15, 0x80, "unknown access");
	refused_with(32, 1, "address within a page");
	refused_with(40, 1, "length that is not whole pages");
	refused_with(43, 0, "no length");
	refused_with(52, 1, "MTU 4097");
	refused_with(53, 0x18, "MTU 6144");
	refused_with(53, 0x20, "MTU 8192");
}

/* What cannot be made by changing one byte. */
static void descriptor__numbers_that_are_zero_or_wrap(void **state)
{
	(void)state;
	unsigned char bytes[BYTES];
	struct pinreg_descriptor it = example;
	it.id = 0;
	assert_int_equal(pinreg_descriptor_export(&it, bytes, BYTES), -EINVAL);
	it = example;
	it.generation = 0;
	assert_int_equal(pinreg_descriptor_export(&it, bytes, BYTES), -EINVAL);
	it = example;
	it.addr = UINT64_MAX - 4095;
	it.length = 4096;
	test_ok(pinreg_descriptor_export(&it, bytes, BYTES));
	it.length = 8192;
	assert_int_equal(pinreg_descriptor_export(&it, bytes, BYTES), -EINVAL);
	it = example;
	it.mtu = 65536 + 4096;
	assert_int_equal(pinreg_descriptor_export(&it, bytes, BYTES), -EINVAL);
	it = example;
	it.flags = 65536;
	assert_int_equal(pinreg_descriptor_export(&it, bytes, BYTES), -EINVAL);
}

static void descriptor__any_damaged_bit(void **state)
{
	(void)state;
	unsigned char bytes[BYTES];
	struct pinreg_descriptor it = { .size = sizeof(it) };
	test_ok(pinreg_descriptor_export(&example, bytes, sizeof(bytes)));
	for (size_t bit = 0; bit < 8 * BYTES; bit++) {
		bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
		assert_int_equal(pinreg_descriptor_import(bytes, BYTES, &it), -EBADMSG);
		bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
	test_ok(pinreg_descriptor_import(bytes, BYTES, &it));
}

static void descriptor__lengths_and_room(void **state)
{
	(void)state;
	unsigned char bytes[BYTES + 1] = { 0 };
	struct pinreg_descriptor it = { .size = sizeof(it) };
	assert_int_equal(pinreg_descriptor_export(&example, bytes, BYTES - 1), -ENOSPC);
	assert_int_equal(bytes[0], 0);
	test_ok(pinreg_descriptor_export(&example, bytes, sizeof(bytes)));
	for (size_t length = 0; length <= sizeof(bytes); length++) {
		bool right = length == BYTES;
		assert_int_equal(pinreg_descriptor_import(bytes, length, &it),
				 right ? 0 : -EBADMSG);
		assert_int_equal(pinreg_descriptor_detect(bytes, length), right);
	}
}

static void descriptor__detect_a_damaged_one(void **state)
{
	(void)state;
	unsigned char bytes[BYTES];
	test_ok(pinreg_descriptor_export(&example, bytes, sizeof(bytes)));
	bytes[20] ^= 1;
	assert_int_equal(pinreg_descriptor_detect(bytes, BYTES), 1);
	bytes[1] ^= 1;
	assert_int_equal(pinreg_descriptor_detect(bytes, BYTES), 0);
	assert_int_equal(pinreg_descriptor_detect(NULL, BYTES), 0);
}

static void descriptor__null_and_unknown_sizes(void **state)
{
	(void)state;
	unsigned char bytes[BYTES];
	struct pinreg_descriptor it = example;
	assert_int_equal(pinreg_descriptor_export(NULL, bytes, BYTES), -EINVAL);
	assert_int_equal(pinreg_descriptor_export(&it, NULL, BYTES), -EINVAL);
	it.size = 3;
	assert_int_equal(pinreg_descriptor_export(&it, bytes, BYTES), -EINVAL);
	test_ok(pinreg_descriptor_export(&example, bytes, BYTES));
	assert_int_equal(pinreg_descriptor_import(bytes, BYTES, &it), -EINVAL);
	assert_int_equal(pinreg_descriptor_import(bytes, BYTES, NULL), -EINVAL);
	it.size = sizeof(it);
	assert_int_equal(pinreg_descriptor_import(NULL, BYTES, &it), -EINVAL);
	assert_int_equal(pinreg_region_describe(NULL, &it), -EINVAL);
	assert_int_equal(pinreg_region_export(NULL, bytes, BYTES), -EINVAL);
	assert_int_equal(pinreg_region_export_revoked(NULL, 1, 0, bytes, BYTES), -EINVAL);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(crc32__check_value),
	cmocka_unit_test(descriptor__example_of_the_document),
	cmocka_unit_test(descriptor__each_flaw_of_the_frame),
	cmocka_unit_test(descriptor__each_flaw_of_a_field),
	cmocka_unit_test(descriptor__numbers_that_are_zero_or_wrap),
	cmocka_unit_test(descriptor__any_damaged_bit),
	cmocka_unit_test(descriptor__lengths_and_room),
	cmocka_unit_test(descriptor__detect_a_damaged_one),
	cmocka_unit_test(descriptor__null_and_unknown_sizes),
};

TEST_MAIN(cases)
