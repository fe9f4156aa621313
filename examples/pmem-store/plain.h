/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plain.h -- what happens without the library: ibv_reg_mr() on a file's mapping.
 */
#ifndef PMEM_STORE_PLAIN_H
#define PMEM_STORE_PLAIN_H

/* Return: 0 when it was registered, 1 when it was refused or could not be tried. */
int plain_try(const char *path);

#endif
