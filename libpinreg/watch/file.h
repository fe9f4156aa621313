/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * file.h -- opening a leased file.
 */
#ifndef PINREG_WATCH_FILE_H
#define PINREG_WATCH_FILE_H

#include "watch/watch.h"

/* As pinreg_file_open(). */
int pinreg_leased_open(struct pinreg_watch *watch, int dirfd, const char *path,
		       const struct pinreg_file_opts *opts, struct pinreg_why *why,
		       struct pinreg_file **out);

#endif
