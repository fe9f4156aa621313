/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * huge.h -- huge pages of 2 MiB for a case.
 */
#ifndef PINREG_TESTS_SUPPORT_HUGE_H
#define PINREG_TESTS_SUPPORT_HUGE_H

#include <stddef.h>

#define HUGE_PAGE ((size_t)2 << 20)

/*
 * So many, mapped and touched; flags: MAP_SHARED or MAP_PRIVATE. Where none are free root
 * lets the kernel make some, and takes that back at exit; who is not, skips the case.
 */
char *huge_pages(unsigned int count, int flags);

#endif
