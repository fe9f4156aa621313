/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mapped.c -- files by the address of their mapping.
 */
#include "watch/mapped.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "watch/watch.h"

static uint64_t start_of(const struct pinreg_file *file)
{
	return (uintptr_t)file->prepared.addr;
}

/* The number of files that begin in front of the address. */
static size_t rank(const struct pinreg_mapped *mapped, uint64_t addr)
{
	size_t low = 0, high = mapped->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (start_of(mapped->files[middle]) < addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int pinreg_mapped_reserve(struct pinreg_mapped *mapped, size_t count)
{
	return pinreg_array_reserve(&mapped->files, &mapped->room, count);
}

void pinreg_mapped_add(struct pinreg_mapped *mapped, struct pinreg_file *file)
{
	size_t at = rank(mapped, start_of(file));
	memmove(&mapped->files[at + 1], &mapped->files[at],
		(mapped->count - at) * sizeof(*mapped->files));
	mapped->files[at] = file;
	mapped->count++;
}

void pinreg_mapped_remove(struct pinreg_mapped *mapped, const struct pinreg_file *file)
{
	size_t at = rank(mapped, start_of(file));
	if (at == mapped->count || mapped->files[at] != file)
		return;
	mapped->count--;
	memmove(&mapped->files[at], &mapped->files[at + 1],
		(mapped->count - at) * sizeof(*mapped->files));
}

struct pinreg_file *pinreg_mapped_before(const struct pinreg_mapped *mapped, uint64_t addr)
{
	size_t count = rank(mapped, addr);
	return count ? mapped->files[count - 1] : NULL;
}

void pinreg_mapped_destroy(struct pinreg_mapped *mapped)
{
	free(mapped->files);
	*mapped = (struct pinreg_mapped){ 0 };
}
