/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test.c -- runs one case, or all of them one by one.
 */
#include "support/test.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool skipped;
static char skip_reason[512];

void test_skip_reason(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(skip_reason, sizeof(skip_reason), format, arguments);
	va_end(arguments);
	skipped = true;
}

long test_call_ok(long result, const char *call, const char *file, int line)
{
	if (result >= 0)
		return result;
	int error = result == -1 ? errno : (int)-result;
	print_error("%s: %s\n", call, strerror(error));
	_fail(file, line);
	return result;
}

static int run_case(const struct CMUnitTest *one)
{
	if (_cmocka_run_group_tests(one->name, one, 1, NULL, NULL) != 0)
		return EXIT_FAILURE;
	if (!skipped)
		return EXIT_SUCCESS;
	fflush(stderr);
	printf("SKIP: %s\n", skip_reason);
	return TEST_EXIT_SKIP;
}

/* A process of its own: what one case leaves behind must not help the next. */
static int run_apart(const struct CMUnitTest *one)
{
	fflush(NULL);
	pid_t child = fork();
	if (child < 0)
		return EXIT_FAILURE;
	if (child == 0)
		exit(run_case(one));

	int status;
	if (waitpid(child, &status, 0) != child)
		return EXIT_FAILURE;
	if (WIFSIGNALED(status))
		printf("FAILED: %s: %s\n", one->name, strsignal(WTERMSIG(status)));
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

static int run_all(const struct CMUnitTest *cases, size_t count)
{
	size_t failures = 0;
	size_t skips = 0;
	for (size_t i = 0; i < count; i++) {
		int status = run_apart(&cases[i]);
		failures += status != EXIT_SUCCESS && status != TEST_EXIT_SKIP;
		skips += status == TEST_EXIT_SKIP;
	}
	printf("%zu cases, %zu failed, %zu skipped\n", count, failures, skips);
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

int test_main(int argc, char **argv, const struct CMUnitTest *cases, size_t count)
{
	if (argc < 2)
		return run_all(cases, count);
	for (size_t i = 0; i < count; i++)
		if (!strcmp(cases[i].name, argv[1]))
			return run_case(&cases[i]);
	fprintf(stderr, "%s: there is no case %s\n", argv[0], argv[1]);
	return EXIT_FAILURE;
}
