/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * draft.h -- a file that is being made flawed, a model of what it must hold, and
 * what its blocks are as FIEMAP tells it. On purpose none of this is the library's.
 */
#ifndef PINREG_TESTS_SUPPORT_DRAFT_H
#define PINREG_TESTS_SUPPORT_DRAFT_H

#include <stdbool.h>
#include <stdint.h>

#define DRAFT_ROOM (1u << 20)

struct draft {
	char path[256];
	char origin[256]; /* what it is a reflink of */
	int fd;
	unsigned char *model; /* DRAFT_ROOM bytes */
	bool has_origin;
};

/* Bytes of [0, length) by what is under them; extents counts those that have blocks. */
struct draft_blocks {
	uint64_t holes, unwritten, shared, placeless, extents;
};

/* A way to spoil a file; false: this filesystem cannot do that. */
struct draft_flaw {
	const char *name;
	bool (*spoil)(struct draft *draft);
	bool (*shows)(const struct draft_blocks *blocks); /* NULL: not in the blocks */
};

extern const struct draft_flaw draft_flaws[];

void draft_open(struct draft *draft, const char *directory);
void draft_close(struct draft *draft);	/* its descriptor only: the file is nobody's then */
void draft_remove(struct draft *draft); /* and the file, its origin, the model */

/* Of the path, which is opened for that. */
void draft_look(const struct draft *draft, uint64_t length, struct draft_blocks *out);

/* The first length bytes of the path, and all of its origin, are as they were. */
void draft_expect(const struct draft *draft, uint64_t length);

/* The same of memory; fails the case at the first byte that is not the model's. */
void draft_compare(const struct draft *draft, const unsigned char *memory, uint64_t length);

#endif
