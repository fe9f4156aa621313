/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * index.h -- the objects, in memory, and the free space that follows from them.
 *
 * Nothing here is on pmem. The free space is never stored: a page is free when
 * no entry and no reservation covers it. Not locked: the store's lock is.
 */
#ifndef PMEM_STORE_INDEX_H
#define PMEM_STORE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format.h"

struct index {
	struct superblock super;
	struct entry *entries; /* super.entries of them; sequence 0: free */
	uint8_t *used;	       /* a page of the data area: how many entries and
				  reservations cover it */
	uint64_t pages;
	uint64_t pages_used;
	uint64_t next_page;	/* where the next search begins */
	uint64_t last_sequence; /* the highest that was found when it was read */
};

int index_make(const struct superblock *super, struct index *index); /* 0 or -ENOMEM */
void index_free(struct index *index);

/* The newest of this name, or NULL: while an object is overwritten there are two. */
struct entry *index_find(struct index *index, const char *name);
/* A free entry, or NULL. */
struct entry *index_spare(struct index *index);
size_t index_number(const struct index *index, const struct entry *entry);

/* Take an extent of whole pages for this many bytes. */
bool index_reserve(struct index *index, uint64_t length, uint64_t *offset);
void index_release(struct index *index, uint64_t offset, uint64_t length);
/* Take this very extent, also where it is taken already (it then takes two releases). */
void index_claim(struct index *index, uint64_t offset, uint64_t length);
uint64_t index_free_bytes(const struct index *index);

#endif
