/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sentence.h -- what reasons are put in words with.
 */
#ifndef PINREG_PLAN_SENTENCE_H
#define PINREG_PLAN_SENTENCE_H

#include <stddef.h>

#include <pinreg/reason.h>

/* Every buffer is bounded. */
struct pinreg_sentence {
	char *buf;
	size_t len;
};

/* The length as snprintf, or -EINVAL. */
int pinreg_say(const struct pinreg_sentence *out, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Why a file was refused or lost. As above. */
int pinreg_say_file(const struct pinreg_why *why, const struct pinreg_sentence *out);

#endif
