/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store.h -- the objects of FILE: reserve, commit, look up, remove, recover.
 *
 * Two copies, one order. With a mirror every change is durable there first and
 * goes to FILE after it: whatever FILE lost is in the mirror. Where the mirror has
 * the index only, FILE is first: what it names had its bytes in FILE, and what of
 * them is not there any more was destroyed.
 *
 * Lock order: store.lock before pmem.lock. A break takes pmem.lock only, so
 * that it never waits for a disk.
 */
#ifndef PMEM_STORE_STORE_H
#define PMEM_STORE_STORE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "index.h"
#include "mirror.h"
#include "options.h"
#include "pmem.h"
#include "wire.h"

struct store {
	struct pmem pmem;
	const char *path;
	const char *mirror_path;
	const char *other_path; /* of a mirror of the other sort, should there be one */
	bool index_only;	/* the mirror has no data */
	struct stat identity;	/* of FILE */

	pthread_mutex_t lock; /* guards what follows */
	struct mirror mirror;
	struct index index;
	bool loaded;
	bool mirror_unchecked; /* its objects were not compared since the start */
	bool erase_pending;    /* an erased entry of the mirror is not synced yet */
	atomic_int failed;     /* -errno of the mirror or FILE; the server gives up */
};

/* Memory to move bytes through; each thread has its own. */
struct scratch {
	uint8_t *piece; /* PMEM_PIECE bytes */
	struct checksum_stream *stream;
};
int scratch_make(struct scratch *scratch); /* 0 or -ENOMEM */
void scratch_free(struct scratch *scratch);

/* Room for one object that is being put; number 0: none. */
struct ticket {
	uint64_t number;
	uint64_t generation;
	uint64_t offset;
	uint64_t length;
	struct wire_range range; /* for the client */
	char name[FORMAT_NAME + 1];
};

enum wire_status store_reserve(struct store *store, const char *name, uint64_t length,
			       struct ticket *ticket, uint64_t *free_bytes);
/* The ticket is used up, whatever the answer is. */
enum wire_status store_commit(struct store *store, struct ticket *ticket,
			      const struct checksum *sum, struct scratch *scratch);
void store_cancel(struct store *store, struct ticket *ticket);
enum wire_status store_lookup(struct store *store, const char *name, struct entry *entry,
			      struct wire_range *range, uint64_t *generation);
enum wire_status store_remove(struct store *store, const char *name);

struct recovery {
	uint64_t objects; /* in the store, and right */
	uint64_t bytes;
	uint64_t repaired; /* of them, brought back from the mirror */
	uint64_t repaired_bytes;
	uint64_t entries;   /* index entries put right in FILE */
	uint64_t destroyed; /* objects that are nowhere right */
	uint64_t mirrored;  /* objects put right in the mirror */
	bool made;	    /* this is a new store */
	bool mirror_made;
	bool index_made;   /* a copy of the index */
	char problem[192]; /* why it failed */
};

/*
 * Make FILE right and serve. Return: 0; -EAGAIN when the file went away again
 * (call it again when it is back); another -errno, with the problem.
 */
int store_recover(struct store *store, struct scratch *scratch, struct recovery *recovery);

void store_init(struct store *store, const struct serve_options *options);
void store_close(struct store *store); /* not the pmem */

/* Used by store.c and recover.c. */
int store_write_entry(struct store *store, uint64_t number, const struct entry *entry);
int store_mirror_entry(struct store *store, uint64_t number, const struct entry *entry);

/* 0, or why nothing can be made durable any more: the server ends. */
static inline int store_failed(struct store *store)
{
	return atomic_load(&store->failed);
}

static inline bool store_has_mirror(const struct store *store)
{
	return store->mirror.fd >= 0;
}

static inline bool store_mirrors_data(const struct store *store)
{
	return store_has_mirror(store) && !store->index_only;
}

/* What FILE says of it. */
static inline uint64_t store_follower(const struct store *store)
{
	return store->index_only ? FORMAT_INDEX_FOLLOWS : FORMAT_MIRROR_FOLLOWS;
}

#endif
