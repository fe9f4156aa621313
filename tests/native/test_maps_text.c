/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_maps_text.c -- lines of the memory map, good and bad.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <pinreg/backing.h>

#include "support/test.h"
#include "sys/maps_text.h"

static struct pinreg_mapping mapping;
static size_t used;

/* On the heap and without an ending zero: a sanitizer sees one byte too many. */
static int parse_bytes(const char *text, size_t length)
{
	char *copy = malloc(length);
	assert_non_null(copy);
	memcpy(copy, text, length);
	int error = pinreg_maps_parse_line(copy, length, &used, &mapping);
	free(copy);
	return error;
}

static int parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static void line__file(void **state)
{
	(void)state;
	const char *line = "7f01a000-7f01c000 rw-s 00002000 fe:1a 1234      /some/file\n";
	assert_int_equal(parse(line), 0);
	assert_int_equal(used, strlen(line));
	assert_int_equal(mapping.start, 0x7f01a000);
	assert_int_equal(mapping.end, 0x7f01c000);
	assert_int_equal(mapping.prot, PINREG_PROT_READ | PINREG_PROT_WRITE);
	assert_true(mapping.shared);
	assert_int_equal(mapping.file_offset, 0x2000);
	assert_int_equal(mapping.dev_major, 0xfe);
	assert_int_equal(mapping.dev_minor, 0x1a);
	assert_int_equal(mapping.inode, 1234);
	assert_string_equal(mapping.name, "/some/file");
}

static void line__anonymous(void **state)
{
	(void)state;
	assert_int_equal(parse("1000-2000 ---p 00000000 00:00 0 \nnext"), 0);
	assert_int_equal(used, strlen("1000-2000 ---p 00000000 00:00 0 \n"));
	assert_int_equal(mapping.prot, 0);
	assert_false(mapping.shared);
	assert_string_equal(mapping.name, "");
}

static void line__without_its_end(void **state)
{
	(void)state;
	assert_int_equal(parse("1000-2000 r--p 00000000 00:00 0"), 0);
	assert_int_equal(used, strlen("1000-2000 r--p 00000000 00:00 0"));
}

static void line__name_with_escapes(void **state)
{
	(void)state;
	assert_int_equal(parse("1-2 r--p 0 0:0 0  /a b\\012c\\101 (deleted)\n"), 0);
	assert_string_equal(mapping.name, "/a b\nc\\101 (deleted)");
	assert_int_equal(parse("1-2 r--p 0 0:0 0  /a\\01\n"), 0);
	assert_string_equal(mapping.name, "/a\\01");
}

static void line__name_too_long(void **state)
{
	(void)state;
	static char line[PATH_MAX + 64];
	const char *start = "1-2 r--p 0 0:0 7 /";
	memset(line, 'x', sizeof(line));
	memcpy(line, start, strlen(start));
	assert_int_equal(parse_bytes(line, sizeof(line)), 0);
	assert_string_equal(mapping.name, "");
	assert_int_equal(mapping.inode, 7);
	/* the longest that fits */
	assert_int_equal(parse_bytes(line, strlen(start) + PATH_MAX - 2), 0);
	assert_int_equal(strlen(mapping.name), PATH_MAX - 1);
	assert_int_equal(parse_bytes(line, strlen(start) + PATH_MAX - 1), 0);
	assert_int_equal(strlen(mapping.name), 0);
}

static void line__largest_numbers(void **state)
{
	(void)state;
	assert_int_equal(parse("0-ffffffffffffffff r--p ffffffffffffffff ffffffff:ffffffff "
			       "18446744073709551615"),
			 0);
	assert_int_equal(mapping.end, UINT64_MAX);
	assert_int_equal(mapping.inode, UINT64_MAX);
}

static void line__garbage(void **state)
{
	(void)state;
	const char *const lines[] = {
		"\n",
		"x",
		"-",
		"1000",
		"1000-",
		"1000-2000",
		"1000-2000 ",
		"1000-2000 r",
		"1000-2000 r--",
		"1000-2000 r--p",
		"1000-2000 r--x 0 0:0 0",
		"1000-2000 w--p 0 0:0 0",
		"1000-2000 r--p 0 0 0",
		"1000-2000 r--p 0 0:0",
		"1000-2000 r--p 0 0:0 0x",
		"1000-2000 r--p 0 0:0 ff",
		"2000-1000 r--p 0 0:0 0",
		"1000-1000 r--p 0 0:0 0",
		"0-10000000000000000 r--p 0 0:0 0",
		"0-1 r--p 0 100000000:0 0",
		"0-1 r--p 0 0:0 18446744073709551616",
		"0-1  r--p 0 0:0 0",
		" 0-1 r--p 0 0:0 0",
	};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(parse(lines[i]), -EBADMSG);
		assert_int_equal(used, strlen(lines[i]));
	}
}

/* Every beginning of a good line, and every line with one byte changed. */
static void line__cut_and_changed(void **state)
{
	(void)state;
	const char *good = "7f01a000-7f01c000 rw-s 00002000 fe:1a 1234      /a\\012b\n";
	size_t length = strlen(good);
	for (size_t i = 1; i < length; i++)
		parse_bytes(good, i);
	char line[80];
	for (size_t i = 0; i < length; i++) {
		for (int byte = 0; byte < 256; byte++) {
			memcpy(line, good, length);
			line[i] = (char)byte;
			parse_bytes(line, length);
			assert_true(used > 0 && used <= length);
		}
	}
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(line__file),
	cmocka_unit_test(line__anonymous),
	cmocka_unit_test(line__without_its_end),
	cmocka_unit_test(line__name_with_escapes),
	cmocka_unit_test(line__name_too_long),
	cmocka_unit_test(line__largest_numbers),
	cmocka_unit_test(line__garbage),
	cmocka_unit_test(line__cut_and_changed),
};

TEST_MAIN(cases)
