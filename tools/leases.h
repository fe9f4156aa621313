/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * leases.h -- who holds a lease that opening a file would break.
 *
 * A look must not cost a server its file: every open, also one that asks not
 * to block, breaks the lease of another.
 */
#ifndef TOOL_LEASES_H
#define TOOL_LEASES_H

#include <stdbool.h>
#include <sys/stat.h>

/*
 * write: the open would be for writing. Return: the process that holds such a
 * lease (-1 if it is not one that can be seen from here), or 0. What the
 * kernel does not tell counts as none.
 */
int leases_holder(const struct stat *file, bool write);

#endif
