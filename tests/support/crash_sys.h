/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crash_sys.h -- a table of system calls that kills its process at one of them.
 */
#ifndef PINREG_TESTS_SUPPORT_CRASH_SYS_H
#define PINREG_TESTS_SUPPORT_CRASH_SYS_H

#include <stdbool.h>

#include "sys/sys.h"

/*
 * The real table under a fake device. fake_flags: those of path are kept in
 * memory that outlives the process, and opening it for writing obeys them.
 */
const struct pinreg_sys *crash_sys(bool fake_flags, const char *path);

/* In the process that is to die: at the call of this number from now; 0: never. */
void crash_sys_arm(unsigned int number);

/* The flags of path, faked or not; 0 where it is not there. */
uint32_t crash_sys_flags(void);

/* Forget faked ones. */
void crash_sys_reset(void);

#endif
