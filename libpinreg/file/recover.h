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

/*
 * Open path, for reading (0) or O_RDWR, if it is the inode that was looked at,
 * and look again. A descriptor, or -errno with *why.
 */
int pinreg_recover_open(const struct pinreg_sys *sys, int dirfd, const char *path, int access,
			struct pinreg_file_look *look, struct pinreg_why *why);

#endif
