/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memlock.h -- a process that may not pin as much as it likes.
 */
#ifndef PINREG_TESTS_SUPPORT_MEMLOCK_H
#define PINREG_TESTS_SUPPORT_MEMLOCK_H

#include <stdint.h>

/* From now on this process is held to so many bytes, root or not. */
void memlock_limit(uint64_t bytes);

#endif
