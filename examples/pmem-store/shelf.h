/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shelf.h -- all stores of a server: one space of names over several files.
 *
 * An object lives in one file. While a file is away its objects are not to be had;
 * the others are, and what lives where is known all the time, from the indexes in
 * memory.
 *
 * An object that is overwritten where its file has no room moves to another one: the
 * new entry is durable there before the old one is erased. Of two entries with one
 * name, in whatever files, the higher sequence counts. Sequences of all files can be
 * compared because one counter gives them out, and because it begins above all that
 * can ever be read: a set is served whole or not at all (unite.c), so every entry
 * that is valid anywhere was seen when the counter was set.
 */
#ifndef PMEM_STORE_SHELF_H
#define PMEM_STORE_SHELF_H

#include "options.h"
#include "store.h"

struct shelf {
	struct store stores[SERVE_FILES];
	unsigned int count;
	struct names names;
	atomic_bool united; /* the files are one set, and all is loaded */
	/* Objects that went from one file to another. Who reads the indexes one after
	 * the other sees here that he may have missed one on its way. */
	atomic_uint_least64_t moves;
};

void shelf_init(struct shelf *shelf, const struct serve_options *options);
void shelf_close(struct shelf *shelf); /* not the pmems */

/* Load every store and see whether the files are one set. Return: as store_load(). */
int shelf_load(struct shelf *shelf, struct scratch *scratch, struct recovery *found);

/*
 * As those of a store. A put goes to the file that has the object if it fits there, else
 * to the one with the most room. place: with BUSY and STALE, what to wait for; with
 * OK of a lookup, where the object is.
 */
enum wire_status shelf_reserve(struct shelf *shelf, const char *name, uint64_t length,
			       struct ticket *ticket, struct place *place, uint64_t *free_bytes);
enum wire_status shelf_commit(struct shelf *shelf, struct ticket *ticket,
			      const struct checksum *sum, struct scratch *scratch,
			      struct place *place);
enum wire_status shelf_lookup(struct shelf *shelf, const char *name, struct entry *entry,
			      struct place *place);
enum wire_status shelf_remove(struct shelf *shelf, const char *name, struct place *place);

/* The first store that can make nothing durable any more, or NULL. */
struct store *shelf_failed(struct shelf *shelf);

#endif
