/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_leases_table.c -- the table of breakers in docs/leases.md is that of the tests.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/breakers.h"
#include "support/test.h"

static const char *read_document(void)
{
	static char text[65536];
	char path[512];
	const char *source = getenv("PINREG_SOURCE_DIR");
	snprintf(path, sizeof(path), "%s/docs/leases.md", source ? source : ".");
	FILE *file = fopen(path, "re");
	if (!file)
		fail_msg("%s cannot be read", path);
	size_t length = fread(text, 1, sizeof(text) - 1, file);
	assert_true(length < sizeof(text) - 1);
	fclose(file);
	return text;
}

static void table__is_that_of_the_tests(void **state)
{
	(void)state;
	const char *document = read_document();
	const char *at = strstr(document, "| another process |");
	assert_non_null(at);
	for (int i = 0; i < 2; i++) {
		at = strchr(at, '\n');
		assert_non_null(at);
		at++;
	}
	for (size_t i = 0; i < breaker_count; i++) {
		char row[512];
		breaker_row(&breakers[i], row, sizeof(row));
		if (strncmp(at, row, strlen(row)) || at[strlen(row)] != '\n')
			fail_msg("docs/leases.md has not at its place: %s", row);
		at += strlen(row) + 1;
	}
	/* and no line more */
	assert_int_equal(*at, '\n');
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(table__is_that_of_the_tests),
};

TEST_MAIN(cases)
