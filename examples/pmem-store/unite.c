/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unite.c -- at the start: are these files one set, and which version of an object
 * counts.
 *
 * A set is served whole or not at all. A part of it would not know the names of the
 * others, would take an object for a new one that lives elsewhere, and would give out
 * sequences that the others have. What a file is of, its superblock and its mirror's
 * say. The set is made when the first of them are; until every file and mirror says that
 * it was served, nobody was served, so what a crash left of it is made again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "recover.h"
#include "shelf.h"

static int new_set(struct shelf *shelf, struct work *work)
{
	uint8_t set[FORMAT_UUID];

	if (getrandom(set, sizeof(set), 0) != sizeof(set))
		return work_fail(work, -EIO, "no random numbers");
	for (unsigned int i = 0; i < shelf->count; i++) {
		struct store *store = &shelf->stores[i];
		struct superblock *super = &store->index.super;

		memcpy(super->set, set, sizeof(set));
		super->set_number = i;
		super->set_count = shelf->count;
		mirror_close(&store->mirror); /* it is of no set: another one is made */
		store->mirror_unchecked = false;
	}
	return 0;
}

static int same_set(struct shelf *shelf, const struct store *known, struct work *work)
{
	const struct superblock *super = &known->index.super;
	const struct store *at[SERVE_FILES] = { NULL };

	if (super->set_count != shelf->count)
		return work_fail(work, -EINVAL,
				 "%s belongs to a set of %u, and %u files were given: a set is "
				 "served whole, and does not grow",
				 known->path, super->set_count, shelf->count);
	for (unsigned int i = 0; i < shelf->count; i++) {
		const struct store *store = &shelf->stores[i];
		const struct superblock *other = &store->index.super;

		if (store->made)
			return work_fail(work, -EINVAL,
					 "%s is new, or destroyed together with its mirror, and %s "
					 "belongs to a set that was served",
					 store->path, known->path);
		if (memcmp(super->set, other->set, sizeof(super->set)) != 0 ||
		    super->set_count != other->set_count)
			return work_fail(work, -EINVAL, "%s and %s belong to different sets",
					 known->path, store->path);
		if (at[other->set_number])
			return work_fail(work, -EINVAL,
					 "%s and %s are the same file of their set: one is a copy",
					 at[other->set_number]->path, store->path);
		at[other->set_number] = store;
	}
	return 0;
}

/* ---- objects that were on their way from one file to another ----------------- */

struct version {
	struct store *store;
	uint64_t sequence;
	char name[FORMAT_NAME + 1];
};

static int by_name_then_newest(const void *a, const void *b)
{
	const struct version *left = a;
	const struct version *right = b;
	int order = strcmp(left->name, right->name);

	if (order)
		return order;
	return left->sequence < right->sequence ? 1 : left->sequence > right->sequence ? -1 : 0;
}

static int settle_moves(struct shelf *shelf, struct work *work)
{
	struct version *versions;
	size_t count = 0;

	for (unsigned int i = 0; i < shelf->count; i++)
		count += shelf->stores[i].index.super.entries;
	versions = calloc(count, sizeof(*versions));
	if (!versions)
		return work_fail(work, -ENOMEM, "no memory for the names");
	count = 0;
	for (unsigned int i = 0; i < shelf->count; i++) {
		struct store *store = &shelf->stores[i];

		for (uint64_t j = 0; j < store->index.super.entries; j++) {
			const struct entry *entry = &store->index.entries[j];

			if (entry->sequence == 0)
				continue;
			versions[count] = (struct version){ store, entry->sequence, "" };
			memcpy(versions[count++].name, entry->name, sizeof(entry->name));
		}
	}
	qsort(versions, count, sizeof(*versions), by_name_then_newest);
	for (size_t i = 1; i < count; i++) {
		if (strcmp(versions[i - 1].name, versions[i].name) == 0)
			store_erase_version(versions[i].store, versions[i].name,
					    versions[i].sequence);
	}
	free(versions);
	return 0;
}

static int unite(struct shelf *shelf, struct work *work)
{
	const struct store *known = NULL;
	int ret;

	for (unsigned int i = 0; i < shelf->count; i++) {
		struct store *store = &shelf->stores[i];

		if (store->marked)
			known = store;
		if (store->index.last_sequence > shelf->names.last_sequence)
			shelf->names.last_sequence = store->index.last_sequence;
	}
	ret = known ? same_set(shelf, known, work) : new_set(shelf, work);
	return ret ? ret : settle_moves(shelf, work);
}

int shelf_load(struct shelf *shelf, struct scratch *scratch, struct recovery *found)
{
	struct work work = { .scratch = scratch, .found = found };
	int ret = 0;

	for (unsigned int i = 0; ret == 0 && i < shelf->count; i++)
		ret = store_load(&shelf->stores[i], scratch, found);
	if (ret == 0)
		ret = unite(shelf, &work);
	shelf->united = ret == 0;
	return ret;
}
