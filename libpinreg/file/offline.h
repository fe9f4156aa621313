/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * offline.h -- preparing, sealing and recovering a file without a domain.
 */
#ifndef PINREG_FILE_OFFLINE_H
#define PINREG_FILE_OFFLINE_H

#include <pinreg/prepare.h>

#include "sys/sys.h"

/* The functions of <pinreg/prepare.h> with a table for the system calls. */
int pinreg_offline_prepare(const struct pinreg_sys *sys, int dirfd, const char *path,
			   const struct pinreg_file_opts *opts, struct pinreg_why *why,
			   struct pinreg_file_report *out);
int pinreg_offline_seal(const struct pinreg_sys *sys, int dirfd, const char *path,
			struct pinreg_why *why);
int pinreg_offline_unseal(const struct pinreg_sys *sys, int dirfd, const char *path,
			  struct pinreg_why *why);
int pinreg_offline_recover(const struct pinreg_sys *sys, int dirfd, const char *path,
			   struct pinreg_why *why, struct pinreg_recovery_report *out);

#endif
