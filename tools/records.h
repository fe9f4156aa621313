/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * records.h -- the files of a directory that have a record beside them.
 */
#ifndef TOOL_RECORDS_H
#define TOOL_RECORDS_H

#include <stddef.h>
#include <stdint.h>

struct record {
	uint64_t inode;
	char *file; /* its name in the directory; NULL: there is none of that number */
};

struct records {
	struct record *list;
	size_t count;
};

/* 0, or a positive errno with nothing to free. */
int records_find(const char *directory, struct records *out);

void records_free(struct records *records);

#endif
