/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * look.h -- is what a path leads to a file for us? Opens nothing, so nobody
 * is disturbed.
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

#endif
