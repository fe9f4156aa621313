/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memories.c -- memory without a file, and how pieces are opened and closed.
 */
#include "support/memories.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/test.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define PAGE ((size_t)4096)

bool memory_is_missing(struct memory *out, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(out->missing, sizeof(out->missing), format, args);
	va_end(args);
	return false;
}

static void touch(const struct memory_row *row, const struct memory *memory)
{
	for (size_t at = 0; at < memory->length; at += PAGE) {
		volatile unsigned char *byte = memory->addr + at;
		if (row->prot & PROT_WRITE)
			*byte = (unsigned char)(at / PAGE + 1);
		else
			(void)*byte;
	}
}

static bool take(struct memory *out, void *mapped, size_t length)
{
	if (mapped == MAP_FAILED)
		return memory_is_missing(out, "mmap: %s", strerror(errno));
	out->addr = out->mapped = mapped;
	out->length = out->mapped_length = length;
	return true;
}

static int fixed(const void *at)
{
	return at ? MAP_FIXED : 0;
}

bool memory_anonymous(const struct memory_row *row, void *at, struct memory *out)
{
	size_t length = row->flags & MAP_HUGETLB ? MEMORY_HUGE : MEMORY_LENGTH;
	int flags = row->flags | MAP_ANONYMOUS | fixed(at);
	if (!take(out, mmap(at, length, row->prot, flags, -1, 0), length))
		return false;
	if (row->state & MEMORY_TOUCHED)
		touch(row, out);
	return true;
}

/* Two huge pages somewhere in six. */
bool memory_thp(const struct memory_row *row, void *at, struct memory *out)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | fixed(at);
	if (!take(out, mmap(at, 3 * MEMORY_HUGE, row->prot, flags, -1, 0), 3 * MEMORY_HUGE))
		return false;
	if (madvise(out->mapped, out->mapped_length, MADV_HUGEPAGE))
		return memory_is_missing(out, "the kernel has no transparent huge pages");
	uintptr_t start = ((uintptr_t)out->mapped + MEMORY_HUGE - 1) / MEMORY_HUGE * MEMORY_HUGE;
	out->addr = (unsigned char *)start;
	out->length = 2 * MEMORY_HUGE;
	if (row->state & MEMORY_TOUCHED)
		touch(row, out);
	return true;
}

bool memory_guarded(const struct memory_row *row, void *at, struct memory *out)
{
	if (!memory_anonymous(row, at, out))
		return false;
	if (madvise(out->addr + 4 * PAGE, PAGE, MADV_GUARD_INSTALL))
		return memory_is_missing(out, "MADV_GUARD_INSTALL: %s", strerror(errno));
	return true;
}

bool memory_holed(const struct memory_row *row, void *at, struct memory *out)
{
	if (!memory_anonymous(row, at, out))
		return false;
	test_ok(munmap(out->addr + 4 * PAGE, PAGE));
	return true;
}

bool memory_unmapped(const struct memory_row *row, void *at, struct memory *out)
{
	if (!memory_anonymous(row, at, out))
		return false;
	test_ok(munmap(out->mapped, out->mapped_length));
	out->mapped = NULL;
	return true;
}

/* The last pages of it: a stack grows from there. */
bool memory_named(const struct memory_row *row, void *at, struct memory *out)
{
	char line[512];
	unsigned long from, to;
	int name;
	(void)at;
	free(malloc(1)); /* or there is no heap yet */
	FILE *maps = fopen("/proc/self/maps", "re");
	assert_non_null(maps);
	while (!out->addr && fgets(line, sizeof(line), maps)) {
		line[strcspn(line, "\n")] = 0;
		if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %n", &from, &to, &name) != 2 ||
		    strcmp(line + name, row->where))
			continue;
		out->length = to - from < 4 * PAGE ? to - from : 4 * PAGE;
		out->addr = (unsigned char *)(to - out->length);
	}
	fclose(maps);
	return out->addr || memory_is_missing(out, "the map has no %s", row->where);
}

bool memory_open(const struct memory_row *row, struct memory *out)
{
	*out = (struct memory){ .addr = NULL };
	if (row->make(row, NULL, out))
		return true;
	memory_close(out);
	return false;
}

bool memory_open_pair(const struct memory_row *first, const struct memory_row *second,
		      struct memory *out)
{
	/* huge pages begin at their multiples */
	size_t room = 2 * MEMORY_HUGE;
	void *mapped = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(mapped, MAP_FAILED);
	uintptr_t middle = ((uintptr_t)mapped + MEMORY_HUGE) / MEMORY_HUGE * MEMORY_HUGE;
	struct memory left = { .addr = NULL }, right = { .addr = NULL };
	*out = (struct memory){ .mapped = mapped, .mapped_length = room };
	bool made = first->make(first, (void *)(middle - MEMORY_LENGTH), &left) &&
		    second->make(second, (void *)middle, &right);
	if (made) {
		assert_ptr_equal(left.addr + left.length, right.addr);
		out->addr = left.addr;
		out->length = left.length + right.length;
	} else {
		strcpy(out->missing, left.addr ? right.missing : left.missing);
		memory_close(out);
	}
	if (left.path[0])
		unlink(left.path);
	if (right.path[0])
		unlink(right.path);
	return made;
}

void memory_close(struct memory *memory)
{
	if (memory->mapped)
		test_ok(munmap(memory->mapped, memory->mapped_length));
	if (memory->path[0])
		unlink(memory->path);
	memory->mapped = NULL;
	memory->path[0] = 0;
}
