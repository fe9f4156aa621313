/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recover.h -- between load.c and recover.c: one attempt to make a store right.
 */
#ifndef PMEM_STORE_RECOVER_H
#define PMEM_STORE_RECOVER_H

#include "store.h"

struct work {
	struct store *store;
	struct scratch *scratch;
	struct recovery *found;
	bool from_mirror; /* the index is loaded from there */
};

/* Take down why it failed; -EAGAIN passes through. Return: error. */
__attribute__((format(printf, 3, 4))) int work_fail(struct work *work, int error,
						    const char *format, ...);

/* Where bytes are read from. */
typedef int work_read(struct store *store, uint64_t offset, void *to, size_t length);
work_read work_read_file;
work_read work_read_mirror;

int work_is_right(struct work *work, const struct entry *entry, work_read *read, bool *right);

#endif
