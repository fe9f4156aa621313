/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * old_bytes.h -- filesystems on the spare device whose free blocks hold somebody's
 * old bytes. None of them is 0, as every byte of a file without data must be.
 */
#ifndef PINREG_TESTS_SUPPORT_OLD_BYTES_H
#define PINREG_TESTS_SUPPORT_OLD_BYTES_H

#include <stdint.h>

/* make: as for spare_make(). The bytes were on the device before, or in a file. */
void old_bytes_of_the_device(const char *make);
void old_bytes_of_a_deleted_file(const char *make);

/*
 * A new file with blocks that hold nothing as far as the filesystem is concerned,
 * and on the device old bytes: else the case would show nothing, and fails. (Making
 * a filesystem clears some blocks.)
 */
void old_bytes_preallocate(const char *path, uint64_t length);

#endif
