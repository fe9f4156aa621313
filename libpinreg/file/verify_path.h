/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verify_path.h -- looking at the blocks of a file that nobody opened yet.
 */
#ifndef PINREG_FILE_VERIFY_PATH_H
#define PINREG_FILE_VERIFY_PATH_H

#include <pinreg/prepare.h>

#include "sys/sys.h"

/* pinreg_file_verify() with a table for the system calls. */
int pinreg_verify_path(const struct pinreg_sys *sys, int dirfd, const char *path,
		       pinreg_flaw_function *flaw, void *context, struct pinreg_why *why,
		       struct pinreg_file_report *out);

#endif
