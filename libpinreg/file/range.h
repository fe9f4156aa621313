/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * range.h -- the addresses of a file, and what is mapped there: the file while it
 * is held, and memory of nobody while somebody else has it. So whoever stores
 * there too late neither dies of it nor changes another's file.
 */
#ifndef PINREG_FILE_RANGE_H
#define PINREG_FILE_RANGE_H

#include "file/prepared.h"

/*
 * Map the file, at the addresses it has had; the first time they are chosen, of
 * file->length. Nothing where it is mapped. ASSUMPTIONS: why is not NULL. 0, or -errno with *why.
 */
int pinreg_range_file(struct pinreg_prepared *file, struct pinreg_why *why);

/*
 * Put memory of nobody in place of the file, in one step. Where that fails the log
 * says so, and the file stays mapped. ASSUMPTIONS: nobody is let in before.
 */
void pinreg_range_nobody(struct pinreg_prepared *file);

/* Give the addresses back. */
void pinreg_range_free(struct pinreg_prepared *file);

#endif
