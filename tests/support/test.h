/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test.h -- what every test program starts from.
 *
 * A program holds an array of cmocka cases and ends with TEST_MAIN(array). Run
 * with the name of a case it runs that one; without, each in a process of its
 * own. CTest reads the names from the source: one test for each.
 *
 * The exit status is 0, 1 for a failure, 77 if the one case was skipped.
 */
#ifndef PINREG_TESTS_SUPPORT_TEST_H
#define PINREG_TESTS_SUPPORT_TEST_H

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TEST_EXIT_SKIP 77

#define TEST_MAIN(cases)                                                                           \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		return test_main(argc, argv, (cases), sizeof(cases) / sizeof((cases)[0]));         \
	}

int test_main(int argc, char **argv, const struct CMUnitTest *cases, size_t count);

/*
 * Leave the running case: what it needs is not here, and the text says what
 * that is. Only from the thread and the process that the case was started in.
 */
#define test_skip(...)                                                                             \
	do {                                                                                       \
		test_skip_reason(__VA_ARGS__);                                                     \
		skip();                                                                            \
	} while (0)

void test_skip_reason(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The call must have succeeded; else the case fails and says with which errno. */
#define test_ok(call) test_call_ok((long)(call), #call, __FILE__, __LINE__)

/* For results of both conventions: -errno, or -1 and errno. Gives the result back. */
long test_call_ok(long result, const char *call, const char *file, int line);

#endif
