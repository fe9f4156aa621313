/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * array.h -- arrays of pointers that grow before they are filled.
 */
#ifndef PINREG_BASE_ARRAY_H
#define PINREG_BASE_ARRAY_H

#include <stddef.h>

/*
 * array: the address of a pointer to the first element, which may move; *room: how
 * many there is room for, at first 0. See that there is room for count. 0, or
 * -ENOMEM and nothing has changed.
 */
int pinreg_array_reserve(void *array, size_t *room, size_t count);

#endif
