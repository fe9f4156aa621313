/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spare.h -- a filesystem on the guest's spare persistent memory, by spare.sh.
 */
#ifndef PINREG_TESTS_SUPPORT_SPARE_H
#define PINREG_TESTS_SUPPORT_SPARE_H

#define SPARE "/pmem/spare"

/*
 * In place of what was there; what is "TYPE MKFS-OPTION... -- MOUNT-OPTIONS".
 * mib: its size, 0: all of the device. Fails the case.
 */
void spare_make(unsigned int mib, const char *what);

/* The device, before a filesystem is made on it. */
const char *spare_device(void);

/* For a teardown. */
int spare_remove(void **state);

#endif
