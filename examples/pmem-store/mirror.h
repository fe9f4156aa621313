/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mirror.h -- an ordinary file that has what FILE has, at the same offsets.
 *
 * Whoever truncates FILE destroys bytes, and no lease keeps them. The mirror
 * is written and made durable before a commit is answered, and where the two
 * differ later the mirror is right. One that has the index only cannot bring bytes
 * back, but what was there is still known by name.
 */
#ifndef PMEM_STORE_MIRROR_H
#define PMEM_STORE_MIRROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format.h"

struct mirror {
	int fd; /* -1: there is none */
	char *path;
	char *building; /* the name it has until mirror_finish(), or NULL */
};

/*
 * Open and lock the mirror. found: VALID with super filled in, FREE when there
 * is no such file, DAMAGED when the file is something else.
 * It must not be a FILE that we serve: to open one again would break our lease.
 * index_only: it has no data. Return: 0 or -errno (-EBUSY: another server has it).
 */
int mirror_open(struct mirror *mirror, const char *path, bool index_only, struct superblock *super,
		enum format_found *found);

/* The size of the store that is mirrored there, with its data or without, or 0. */
uint64_t mirror_size(const char *path);

/* Begin a new one. It has its name, and counts, from mirror_finish() on. */
int mirror_begin(struct mirror *mirror, const char *path, uint64_t size);
int mirror_finish(struct mirror *mirror, const struct superblock *super);
/* The same superblock, but for what its checksum does not cover. Durable. */
int mirror_note(const struct mirror *mirror, const struct superblock *super);

void mirror_close(struct mirror *mirror);

int mirror_read(const struct mirror *mirror, uint64_t offset, void *to, size_t length);
int mirror_write(const struct mirror *mirror, uint64_t offset, const void *from, size_t length);
int mirror_sync(const struct mirror *mirror);

#endif
