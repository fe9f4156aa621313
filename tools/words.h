/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * words.h -- sets of bits, as words.
 */
#ifndef TOOL_WORDS_H
#define TOOL_WORDS_H

#include <stddef.h>

/* A table ends with an empty name. */
struct word {
	unsigned int bit;
	const char *name;
};

extern const struct word words_access[];    /* IBV_ACCESS_* */
extern const struct word words_operation[]; /* IBV_ODP_SUPPORT_*, of a transport */
extern const struct word words_window[];    /* pinreg_domain_info.memory_windows */
extern const struct word words_extent[];    /* FIEMAP_EXTENT_* */

/* A word that is at hand while the expression that asked for it is evaluated. */
struct word_text {
	char text[32];
};

/* The lowest bit of bits: its name in the table, or its number in hex. */
struct word_text words_first(const struct word *table, unsigned int bits);

/* All of them, with blanks between; "none" where there are none. */
void words_join(const struct word *table, unsigned int bits, char *buf, size_t len);

/* What a PINREG_WARN_* bit means, in a sentence; "" for one that is newer than the tool. */
const char *words_warning(unsigned int warning);

#endif
