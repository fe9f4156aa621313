/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crc32.h -- the CRC-32 of zlib, gzip, PNG and Ethernet.
 */
#ifndef PINREG_BASE_CRC32_H
#define PINREG_BASE_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Of all the bytes; 0xcbf43926 of "123456789". */
uint32_t pinreg_crc32(const void *data, size_t length);

#endif
