/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text.c -- lines for a human: a label, then words, within 80 columns.
 */
#include "text.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LABEL_WIDTH 13
#define WIDTH 80

static bool coloured(void)
{
	const char *no = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

static const char *escape(enum text_colour colour)
{
	switch (colour) {
	case TEXT_GOOD:
		return "\033[32m";
	case TEXT_CAUTION:
		return "\033[33m";
	case TEXT_BAD:
		return "\033[31m";
	default:
		return "";
	}
}

static void print_wrapped(const char *text)
{
	size_t column = LABEL_WIDTH;

	while (*text) {
		size_t word = strcspn(text, " ");
		bool first = column == LABEL_WIDTH;

		if (!first && column + 1 + word > WIDTH) {
			printf("\n%*s", LABEL_WIDTH, "");
			column = LABEL_WIDTH;
		} else if (!first) {
			putchar(' ');
			column++;
		}
		printf("%.*s", (int)word, text);
		column += word;
		text += word;
		text += strspn(text, " ");
	}
}

void text_field(const char *label, enum text_colour colour, const char *format, ...)
{
	bool colours = colour != TEXT_PLAIN && coloured();
	char *text;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0)
		return;
	printf("%-*s%s", LABEL_WIDTH, label, colours ? escape(colour) : "");
	print_wrapped(text);
	printf("%s\n", colours ? "\033[0m" : "");
	free(text);
}
