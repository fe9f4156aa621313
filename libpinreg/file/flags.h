/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flags.h -- what preparing changes about an inode besides its blocks: the DAX flag
 * of a file without content, and the hint for the size of its extents.
 *
 * Both can only be set as long as there is no block, and both stay with the file
 * when it was prepared. Until then pinreg_flags_restore() takes them back.
 */
#ifndef PINREG_FILE_FLAGS_H
#define PINREG_FILE_FLAGS_H

#include "file/prepared.h"

/* After opening: what are the flags, and what should be changed? Changes nothing. */
void pinreg_flags_look(struct pinreg_prepared *file, const struct pinreg_file_look *look);

/* Before the first block: set the hint if it is wanted. ASSUMPTIONS: leased. */
void pinreg_flags_hint(struct pinreg_prepared *file);

/*
 * The flags as they were before what was not kept. alone: nobody else has the file;
 * one that had no block has none again, or the hint could not be taken off.
 */
void pinreg_flags_restore(struct pinreg_prepared *file, bool alone);

#endif
