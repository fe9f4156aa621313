/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text.h -- lines for a human: a label, then words, within 80 columns.
 */
#ifndef TOOL_TEXT_H
#define TOOL_TEXT_H

enum text_colour {
	TEXT_PLAIN,
	TEXT_GOOD,
	TEXT_CAUTION,
	TEXT_BAD,
};

/*
 * On stdout. label: "" continues the field above. Colours are left out where
 * stdout is no terminal or NO_COLOR is set. A word longer than the line stays
 * whole, so that a path can be copied.
 */
void text_field(const char *label, enum text_colour colour, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
