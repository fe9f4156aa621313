/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory.h -- the memory that a plan is asked for: made, or a file mapped.
 */
#ifndef TOOL_MEMORY_H
#define TOOL_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"

/* One of file, anon, hugetlb and memfd is set. Bytes; 0: not given. */
struct memory_request {
	const char *file;
	uint64_t offset;
	uint64_t length; /* of the file's part; 0: to its end */
	bool private;
	uint64_t anon;
	uint64_t hugetlb;
	uint64_t memfd;
};

struct memory {
	const char *source; /* the name of the option: "file", "anon", ... */
	void *addr;	    /* of what was asked for */
	size_t length;
	void *map; /* of the mapping around it */
	size_t map_length;
	int fd; /* of the file behind it, or -1; without it a nameless one cannot be looked at */
	bool writable;
};

/*
 * read_only: of a file, map it so. What is made from nothing is always mapped
 * readable and writable: somebody must be able to fill it.
 */
enum status memory_make(const struct memory_request *request, bool read_only, struct memory *out,
			struct failure *failure);

/* The file of the request: memory_make() for --file. */
enum status memory_of_file(const struct memory_request *request, bool read_only, struct memory *out,
			   struct failure *failure);

void memory_free(struct memory *memory);

#endif
