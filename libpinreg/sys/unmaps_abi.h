/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unmaps_abi.h -- what of userfaultfd the headers at hand may lack.
 *
 * Linux 6.7 and later. The value is fixed by the kernel.
 */
#ifndef PINREG_SYS_UNMAPS_ABI_H
#define PINREG_SYS_UNMAPS_ABI_H

/* Faults on protected pages are settled in the kernel, and every kind of memory will do. */
#define PINREG_UFFD_FEATURE_WP_ASYNC (1ull << 15)

#endif
