/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * size.c -- numbers of bytes, read and written.
 */
#include "size.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool size_read(const char *text, uint64_t *size)
{
	static const char units[] = "KMG";
	const char *unit;
	uint64_t factor = 1;
	uint64_t number;
	char *end;

	if (*text < '0' || *text > '9')
		return false; /* strtoull takes signs and blanks */
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno)
		return false;
	if (*end) {
		unit = strchr(units, *end);
		if (!unit || end[1])
			return false;
		factor = UINT64_C(1) << (10 * (unit - units + 1));
	}
	if (number > INT64_MAX / factor)
		return false;
	*size = number * factor;
	return true;
}

struct size_text size_write(uint64_t size)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	const size_t last = sizeof(units) / sizeof(units[0]) - 1;
	struct size_text out;
	size_t unit = 0;

	if (size == UINT64_MAX) {
		snprintf(out.text, sizeof(out.text), "no limit");
		return out;
	}
	while (unit < last && size && size % 1024 == 0) {
		size /= 1024;
		unit++;
	}
	snprintf(out.text, sizeof(out.text), "%" PRIu64 " %s", size, units[unit]);
	return out;
}
