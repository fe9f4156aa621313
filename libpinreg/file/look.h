/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * look.h -- is what a path leads to a file for us? Looking opens nothing, so nobody
 * is disturbed; what is opened afterwards is the inode that was looked at.
 */
#ifndef PINREG_FILE_LOOK_H
#define PINREG_FILE_LOOK_H

#include <pinreg/reason.h>

#include "sys/sys.h"

/* Is it something to be opened at all? 0, or -errno with *why. */
int pinreg_look_check(const struct pinreg_file_look *look, struct pinreg_why *why);

/*
 * Look at what path is, links not followed, and check it. -ENOENT: nothing is
 * there (no *why then).
 */
int pinreg_look_at_path(const struct pinreg_sys *sys, int dirfd, const char *path,
			struct pinreg_file_look *look, struct pinreg_why *why);

/*
 * Open path, for reading (0) or O_RDWR, if it is the inode that was looked at,
 * and look again. A descriptor, or -errno with *why.
 */
int pinreg_look_open(const struct pinreg_sys *sys, int dirfd, const char *path, int access,
		     struct pinreg_file_look *look, struct pinreg_why *why);

#endif
