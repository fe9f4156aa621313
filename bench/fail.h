/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fail.h -- ending a measurement that cannot be made, with a sentence.
 */
#ifndef PINREG_BENCH_FAIL_H
#define PINREG_BENCH_FAIL_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <pinreg/reason.h>

static inline _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, why);
	exit(EXIT_FAILURE);
}

/* The library said no. */
static inline _Noreturn void refused(const char *what, const struct pinreg_why *why)
{
	char sentence[512];
	pinreg_why_describe(why, sentence, sizeof(sentence));
	die(what, sentence);
}

#endif
