/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * opts.c -- reading option structs and writing info structs of any age.
 */
#include "base/opts.h"

#include <errno.h>
#include <string.h>

/* A struct longer than this is garbage, not a newer version. */
#define SIZE_MAX_SANE 4096

int pinreg_opts_read(const void *user, void *known, size_t known_size)
{
	memset(known, 0, known_size);
	memcpy(known, &known_size, sizeof(known_size));
	if (!user)
		return 0;

	size_t size;
	memcpy(&size, user, sizeof(size));
	if (size < sizeof(size) || size > SIZE_MAX_SANE)
		return -EINVAL;
	const unsigned char *bytes = user;
	for (size_t i = known_size; i < size; i++)
		if (bytes[i])
			return -EINVAL;
	size_t common = size < known_size ? size : known_size;
	memcpy((char *)known + sizeof(size), bytes + sizeof(size), common - sizeof(size));
	return 0;
}

int pinreg_info_check(const void *user, size_t first)
{
	if (!user)
		return -EINVAL;
	size_t size;
	memcpy(&size, user, sizeof(size));
	return size < first || size > SIZE_MAX_SANE ? -EINVAL : 0;
}

void pinreg_info_write(void *user, const void *known, size_t known_size)
{
	size_t size;
	memcpy(&size, user, sizeof(size));
	size_t common = size < known_size ? size : known_size;
	memcpy((char *)user + sizeof(size), (const char *)known + sizeof(size),
	       common - sizeof(size));
	if (size > known_size)
		memset((char *)user + known_size, 0, size - known_size);
}
