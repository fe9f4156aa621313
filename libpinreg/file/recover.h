/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recover.h -- finishing or undoing what a dead owner left.
 */
#ifndef PINREG_FILE_RECOVER_H
#define PINREG_FILE_RECOVER_H

#include <pinreg/prepare.h>

#include "file/record_store.h"

/*
 * As pinreg_file_recover(). why and out are not NULL. Who is alive is not
 * disturbed: the file is opened only after its record said that nobody is.
 */
int pinreg_recover(const struct pinreg_sys *sys, int dirfd, const char *path,
		   struct pinreg_why *why, struct pinreg_recovery_report *out);

/*
 * Before a file is opened for use: the same, and -EBUSY with *why where its owner
 * is alive. 0 also where there is no file.
 */
int pinreg_recover_first(const struct pinreg_sys *sys, int dirfd, const char *path,
			 struct pinreg_why *why);

#endif
