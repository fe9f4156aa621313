/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * array.c -- arrays of pointers that grow before they are filled.
 */
#include "base/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 64

int pinreg_array_reserve(void *array, size_t *room, size_t count)
{
	void *elements;
	if (count <= *room)
		return 0;
	size_t wanted = *room ? *room : FIRST_ROOM;
	while (wanted < count)
		wanted *= 2;
	/* by its bytes: pointers to all kinds of objects come here */
	memcpy(&elements, array, sizeof(elements));
	elements = realloc(elements, wanted * sizeof(void *));
	if (!elements)
		return -ENOMEM;
	memcpy(array, &elements, sizeof(elements));
	*room = wanted;
	return 0;
}
