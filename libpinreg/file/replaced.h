/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replaced.h -- another inode at the path of a file: may it take the file's place,
 * and how.
 */
#ifndef PINREG_FILE_REPLACED_H
#define PINREG_FILE_REPLACED_H

#include "file/prepared.h"

/*
 * Open what the path leads to now, put right before if a process that died left it
 * so. A descriptor, with what was found in *look, or -errno with *why: -ENOENT,
 * -EBUSY and -ESTALE may pass. ASSUMPTIONS: why is not NULL.
 */
int pinreg_replaced_open(struct pinreg_prepared *file, struct pinreg_file_look *look,
			 struct pinreg_why *why);

/*
 * It is the file from now on, under the same descriptor number, and was never
 * prepared. fd is closed. 0 or -errno. ASSUMPTIONS: not mapped, or to be mapped over;
 * nothing is to be undone in the old one.
 */
int pinreg_replaced_take(struct pinreg_prepared *file, int fd, const struct pinreg_file_look *look);

#endif
