/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store.h -- the objects of one FILE: reserve, commit, look up, remove, recover.
 *
 * Two copies, one order. With a mirror every change is durable there first and
 * goes to FILE after it: whatever FILE lost is in the mirror. Where the mirror has
 * the index only, FILE is first: what it names had its bytes in FILE, and what of
 * them is not there any more was destroyed.
 *
 * Lock order: store.lock, then pmem.lock or names.lock. A break takes pmem.lock
 * only, so that it never waits for a disk. Nobody holds the locks of two stores.
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

/*
 * What all stores of a server share. Recovery holds store.lock for as long as it
 * takes; so that a name can be looked for meanwhile, who changes the name or the
 * sequence of an entry in memory holds names.lock too, and either is enough to read.
 */
struct names {
	pthread_mutex_t lock;
	atomic_uint_least64_t last_sequence;
};

struct store {
	struct names *names;
	struct pmem pmem;
	const char *path;
	const char *mirror_path;
	const char *other_path; /* of a mirror of the other sort, should there be one */
	bool index_only;	/* the mirror has no data */

	pthread_mutex_t lock; /* guards what follows */
	struct mirror mirror;
	struct index index;
	bool loaded;
	bool made;	       /* this is a new store, until it was first put right */
	atomic_bool marked;    /* FILE and mirror say that the set was served */
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

/* Where an object is, or what has to come back before that can be asked again. */
struct place {
	struct store *store;
	uint64_t generation; /* of the keys that are good for it, or of those to wait for */
	uint64_t offset;     /* in the data area of the file */
	uint64_t span;	     /* bytes that are moved by transfers: the object's or its pages' */
};

/* Room for one object that is being put; number 0: none. */
struct ticket {
	uint64_t number;
	struct place place;
	uint64_t offset; /* in the file */
	uint64_t length;
	char name[FORMAT_NAME + 1];
};

enum wire_status store_reserve(struct store *store, const char *name, uint64_t length,
			       struct ticket *ticket, uint64_t *free_bytes);
/* The ticket is used up, whatever the answer is. */
enum wire_status store_commit(struct ticket *ticket, const struct checksum *sum,
			      struct scratch *scratch);
void store_cancel(struct ticket *ticket);
enum wire_status store_lookup(struct store *store, const char *name, struct entry *entry,
			      struct place *place);
/* What somebody has to wait for who was answered BUSY or STALE. */
struct place store_awaited(struct store *store);
enum wire_status store_remove(struct store *store, const char *name);
/* The version with this sequence is not needed any more: another file has a newer one.
 * It is erased durably, or where FILE is away by recovery. */
void store_erase_version(struct store *store, const char *name, uint64_t sequence);
/* False while FILE is away. */
bool store_room(struct store *store, uint64_t *free_bytes);
/* Index entry of the newest of this name, in memory; the names are locked. */
const struct entry *store_holds(struct store *store, const char *name);

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
 * Each of these: 0; -EAGAIN when the file went away (call it again when it is back);
 * another -errno, with the problem.
 * store_load() reads the index into memory. Nothing of the store is written to.
 * store_recover() makes FILE and mirror right and serves.
 * store_mark() notes in both that the set was served.
 */
int store_load(struct store *store, struct scratch *scratch, struct recovery *recovery);
int store_recover(struct store *store, struct scratch *scratch, struct recovery *recovery);
int store_mark(struct store *store, struct scratch *scratch, struct recovery *recovery);

void store_init(struct store *store, struct names *names, const struct serve_file *file,
		bool index_only);
void store_close(struct store *store); /* not the pmem */

/* Used by store.c, load.c and recover.c. */
void store_set_entry(struct store *store, struct entry *entry, const struct entry *value);
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
