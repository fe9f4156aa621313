/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seal.h -- the immutable flag: nobody opens the file for writing, truncates,
 * renames, links or removes it. What it does to who has it open and mapped
 * already differs: see docs/kernel-facts.md, "The immutable flag".
 */
#ifndef PINREG_FILE_SEAL_H
#define PINREG_FILE_SEAL_H

#include <stdbool.h>

#include <pinreg/reason.h>

#include "sys/sys.h"

/*
 * Can a file like the one that was looked at be sealed, by us? Tried on a
 * nameless one in the same directory, where there are such; so that who wants a
 * seal hears it before the file is prepared. 0, or -errno with *why.
 */
int pinreg_seal_possible(const struct pinreg_sys *sys, int directory,
			 const struct pinreg_file_look *look, struct pinreg_why *why);

/* Set the flag. fd may be open for reading only. 0, or -errno with *why. */
int pinreg_seal_on(const struct pinreg_sys *sys, int fd, struct pinreg_why *why);

/*
 * Take the flag off, unless the old flags had it. *was (may be NULL): it was
 * there. 0, or -errno with *why.
 */
int pinreg_seal_off(const struct pinreg_sys *sys, int fd, const struct pinreg_file_flags *old,
		    bool *was, struct pinreg_why *why);

#endif
