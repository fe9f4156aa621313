/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_crash.c -- a process that dies at each of its system calls, on DAX files
 * with the filesystem's own flags.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/crash.h"
#include "support/host.h"
#include "support/leased.h"
#include "support/test.h"

static void run(enum crash_scene scene)
{
	for (size_t i = 0; i < LEASED_MOUNTS; i++) {
		char directory[64];
		snprintf(directory, sizeof(directory), "%s/crash-XXXXXX", leased_mounts[i]);
		assert_non_null(mkdtemp(directory));
		struct crash_place place = { .directory = directory };
		crash_everywhere(&place, scene);
		assert_int_equal(host_run("rm -r '%s'", directory), 0);
	}
}

#define CASE(name, scene)                                                                          \
	static void name(void **state)                                                             \
	{                                                                                          \
		(void)state;                                                                       \
		run(scene);                                                                        \
	}

CASE(crash__open_of_a_new_file, CRASH_NEW)
CASE(crash__growth, CRASH_GROW)
CASE(crash__filling_holes, CRASH_HOLES)
CASE(crash__open_sealed, CRASH_OPEN_SEALED)
CASE(crash__new_file_sealed, CRASH_NEW_SEALED)
CASE(crash__close_of_a_sealed_one, CRASH_CLOSE)
CASE(crash__break_of_a_sealed_one, CRASH_BREAK)
CASE(crash__regrow_of_a_sealed_one, CRASH_REGROW)
CASE(crash__seal, CRASH_SEAL)
CASE(crash__unseal, CRASH_UNSEAL)
CASE(crash__prepare_and_seal, CRASH_PREPARE)

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(crash__open_of_a_new_file),
	cmocka_unit_test(crash__growth),
	cmocka_unit_test(crash__filling_holes),
	cmocka_unit_test(crash__open_sealed),
	cmocka_unit_test(crash__new_file_sealed),
	cmocka_unit_test(crash__close_of_a_sealed_one),
	cmocka_unit_test(crash__break_of_a_sealed_one),
	cmocka_unit_test(crash__regrow_of_a_sealed_one),
	cmocka_unit_test(crash__seal),
	cmocka_unit_test(crash__unseal),
	cmocka_unit_test(crash__prepare_and_seal),
};

TEST_MAIN(cases)
