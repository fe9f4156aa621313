/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.h -- what a caller wants of a file, checked.
 */
#ifndef PINREG_FILE_OPTIONS_H
#define PINREG_FILE_OPTIONS_H

#include <pinreg/file.h>

/* Read them; no default is left in known->seal. 0, or -EINVAL with *why. */
int pinreg_file_options(const struct pinreg_file_opts *user, struct pinreg_file_opts *known,
			struct pinreg_why *why);

#endif
