/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * size.h -- numbers of bytes, read and written.
 */
#ifndef TOOL_SIZE_H
#define TOOL_SIZE_H

#include <stdbool.h>
#include <stdint.h>

struct size_text {
	char text[48];
};

/* Decimal digits and at most one of K, M, G (powers of 1024). False: no size, or over 2^63 - 1. */
bool size_read(const char *text, uint64_t *size);

/* "2 MiB" where that is exact, "4097 bytes", or "no limit" for UINT64_MAX. */
struct size_text size_write(uint64_t size);

#endif
