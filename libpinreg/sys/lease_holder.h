/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lease_holder.h -- who holds a lease that opening a file would break.
 *
 * A look must not cost a server its file: every open, also one that asks not
 * to block, breaks the lease of another. Needs nothing else of the library,
 * because the tool has it built in.
 */
#ifndef PINREG_SYS_LEASE_HOLDER_H
#define PINREG_SYS_LEASE_HOLDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * device, inode: as stat() gives them. write: the open would be for writing.
 * Return: the process that holds such a lease (-1 if it is not one that can be
 * seen from here), or 0. What the kernel does not tell counts as none.
 */
pid_t pinreg_real_lease_holder(uint64_t device, uint64_t inode, bool write);

#endif
