/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load.c -- the index into memory: from the mirror if there is one, or from FILE.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "bytes.h"
#include "recover.h"

/* ---- the index, the first time --------------------------------------------- */

static bool index_is_empty(const uint8_t *raw, size_t length)
{
	return raw[0] == 0 && memcmp(raw, raw + 1, length - 1) == 0;
}

/* Decode every entry. A damaged one is one that was never committed, or lost. */
static int read_index(struct work *work, uint8_t **raw)
{
	struct store *store = work->store;
	struct index *index = &store->index;
	size_t length = index->super.entries * FORMAT_ENTRY;
	int ret;

	*raw = malloc(length);
	if (!*raw)
		return work_fail(work, -ENOMEM, "no memory for the index");
	ret = (work->from_mirror ? work_read_mirror
				 : work_read_file)(store, index->super.index_offset, *raw, length);
	if (ret)
		return work_fail(work, ret, "the index cannot be read: %s", strerror(-ret));
	for (uint64_t i = 0; i < index->super.entries; i++) {
		struct entry *entry = &index->entries[i];

		if (format_decode_entry(*raw + i * FORMAT_ENTRY, &index->super, entry) !=
		    FORMAT_VALID)
			continue;
		index_claim(index, entry->offset, entry->length);
		if (entry->sequence > index->last_sequence)
			index->last_sequence = entry->sequence;
	}
	return 0;
}

static int by_name_then_newest(const void *a, const void *b)
{
	const struct entry *left = *(struct entry *const *)a;
	const struct entry *right = *(struct entry *const *)b;
	int order = strcmp(left->name, right->name);

	if (order)
		return order;
	return left->sequence < right->sequence ? 1 : left->sequence > right->sequence ? -1 : 0;
}

static int right_somewhere(struct work *work, const struct entry *entry, bool *right)
{
	int ret = work_is_right(work, entry, work_read_file, right);

	if (ret == 0 && !*right && store_mirrors_data(work->store))
		ret = work_is_right(work, entry, work_read_mirror, right);
	return ret;
}

static void drop(struct index *index, struct entry *entry)
{
	index_release(index, entry->offset, entry->length);
	memset(entry, 0, sizeof(*entry));
}

/*
 * Of the entries with one name, the newest whose bytes are still there stays. In a
 * copy of the index the newest had its bytes: gone, it is destroyed, not older.
 */
static int keep_newest(struct work *work, struct entry **group, size_t count)
{
	size_t keep = 0;
	bool right = work->from_mirror && work->store->index_only;

	for (size_t i = 0; i < count && !right; i++) {
		int ret = right_somewhere(work, group[i], &right);

		if (ret)
			return ret;
		keep = right ? i : keep;
	}
	for (size_t i = 0; i < count; i++) {
		if (i != keep)
			drop(&work->store->index, group[i]);
	}
	return 0;
}

static int settle_overwrites(struct work *work)
{
	struct index *index = &work->store->index;
	struct entry **order = calloc(index->super.entries, sizeof(struct entry *));
	size_t count = 0;
	size_t next;
	int ret = 0;

	if (!order)
		return work_fail(work, -ENOMEM, "no memory for the index");
	for (uint64_t i = 0; i < index->super.entries; i++) {
		if (index->entries[i].sequence)
			order[count++] = &index->entries[i];
	}
	qsort(order, count, sizeof(struct entry *), by_name_then_newest);
	for (size_t first = 0; first < count && ret == 0; first = next) {
		for (next = first + 1; next < count; next++) {
			if (strcmp(order[first]->name, order[next]->name) != 0)
				break;
		}
		if (next - first > 1)
			ret = keep_newest(work, order + first, next - first);
	}
	free(order);
	return ret ? work_fail(work, ret, "an overwritten object cannot be read: %s",
			       strerror(-ret))
		   : 0;
}

/* The mirror's index as it should be, after a crash left something half done. */
static int settle_mirror_index(struct work *work, const uint8_t *raw)
{
	struct store *store = work->store;
	int ret = 0;

	for (uint64_t i = 0; i < store->index.super.entries && ret == 0; i++) {
		const struct entry *entry = &store->index.entries[i];

		if (entry->sequence == 0 && get64(raw + i * FORMAT_ENTRY) != 0)
			ret = store_mirror_entry(store, i, entry);
	}
	if (ret == 0)
		ret = mirror_sync(&store->mirror);
	return ret ? work_fail(work, ret, "the mirror cannot be written: %s", strerror(-ret)) : 0;
}

/* ---- which of the two is right, the first time ----------------------------- */

static int file_super(struct work *work, struct superblock *super, enum format_found *found,
		      uint64_t *follower)
{
	uint8_t page[FORMAT_PAGE];
	int ret = work_read_file(work->store, 0, page, sizeof(page));

	if (ret)
		return ret;
	*found = format_decode_super(page, super);
	*follower = get64(page + FORMAT_FOLLOWER_AT);
	return 0;
}

static int made_anew(struct work *work, struct superblock *super)
{
	struct store *store = work->store;
	size_t length = store->pmem.layout.entries * FORMAT_ENTRY;
	uint8_t *raw = malloc(length);
	bool empty;
	int ret;

	if (!raw)
		return work_fail(work, -ENOMEM, "no memory for the index");
	ret = work_read_file(store, FORMAT_PAGE, raw, length);
	empty = ret == 0 && index_is_empty(raw, length);
	free(raw);
	if (ret)
		return ret;
	if (!empty)
		return work_fail(work, -EINVAL, "%s holds something else than a store",
				 store->path);
	*super = store->pmem.layout;
	if (getrandom(super->uuid, sizeof(super->uuid), 0) != sizeof(super->uuid))
		return work_fail(work, -EIO, "no random numbers");
	work->store->made = true;
	return 0;
}

static int choose_without_mirror(struct work *work, enum format_found found,
				 struct superblock *super)
{
	if (found == FORMAT_DAMAGED)
		return work_fail(work, -EINVAL, "%s is no store, or its superblock was destroyed",
				 work->store->path);
	return found == FORMAT_FREE ? made_anew(work, super) : 0;
}

/* The copy of the index is no longer one, and another will be made. */
static int choose_without_index(struct work *work)
{
	mirror_close(&work->store->mirror);
	return 0;
}

static int choose_with_mirror(struct work *work, enum format_found found, uint64_t follower,
			      const struct superblock *mirror_super, struct superblock *super)
{
	const char *path = work->store->mirror_path;

	if (found == FORMAT_VALID && work->store->index_only && follower != FORMAT_INDEX_FOLLOWS)
		return choose_without_index(work);
	if (found == FORMAT_VALID &&
	    memcmp(super->uuid, mirror_super->uuid, sizeof(super->uuid)) != 0)
		return work_fail(work, -EINVAL, "%s is the mirror of another store", path);
	if (found == FORMAT_VALID && follower != store_follower(work->store))
		return work_fail(work, -EINVAL,
				 "%s is older than %s, which was served without it: remove it, "
				 "and a new one is made",
				 path, work->store->path);
	*super = *mirror_super;
	work->from_mirror = true;
	return 0;
}

/* FILE is no store any more, and what was in it a copy of the other sort knows. */
static int refuse_to_forget(struct work *work, enum format_found in_mirror)
{
	struct store *store = work->store;

	if (store->index_only && in_mirror == FORMAT_VALID)
		return 0;
	if (mirror_size(store->other_path) == 0)
		return 0;
	return work_fail(work, -EINVAL,
			 "%s was destroyed, and %s knows what it held: serve it %s --no-mirror, "
			 "or remove that file to begin anew",
			 store->path, store->other_path, store->index_only ? "without" : "with");
}

static int choose(struct work *work, struct superblock *super)
{
	struct store *store = work->store;
	struct superblock mirror_super;
	enum format_found in_mirror = FORMAT_FREE;
	enum format_found in_file;
	uint64_t follower;
	int ret = file_super(work, super, &in_file, &follower);

	if (ret)
		return ret;
	ret = mirror_open(&store->mirror, store->mirror_path, store->index_only, &mirror_super,
			  &in_mirror);
	if (ret == -EBUSY)
		return work_fail(work, -EBUSY, "another server has the mirror %s",
				 store->mirror_path);
	if (ret || in_mirror == FORMAT_DAMAGED)
		return work_fail(work, ret ? ret : -EINVAL, "%s is no mirror: %s",
				 store->mirror_path, ret ? strerror(-ret) : "something else");
	if (in_file != FORMAT_VALID && refuse_to_forget(work, in_mirror))
		return -EINVAL;
	if (in_mirror == FORMAT_VALID)
		ret = choose_with_mirror(work, in_file, follower, &mirror_super, super);
	else
		ret = choose_without_mirror(work, in_file, super);
	if (ret == 0 && super->size != store->pmem.layout.size)
		ret = work_fail(work, -EINVAL, "the store was made for %llu bytes, and %s has %llu",
				(unsigned long long)super->size, store->path,
				(unsigned long long)store->pmem.layout.size);
	return ret;
}

static int load(struct work *work)
{
	struct store *store = work->store;
	struct superblock super;
	uint8_t *raw = NULL;
	int ret;

	store->made = false;
	ret = choose(work, &super);

	if (ret == 0)
		ret = index_make(&super, &store->index);
	if (ret == 0 && !store->made)
		ret = read_index(work, &raw);
	if (ret == 0 && raw)
		ret = settle_overwrites(work);
	if (ret == 0 && raw && work->from_mirror)
		ret = settle_mirror_index(work, raw);
	free(raw);
	store->mirror_unchecked = work->from_mirror && store_mirrors_data(store);
	if (ret) { /* a second try begins at the beginning */
		mirror_close(&store->mirror);
		index_free(&store->index);
	}
	store->loaded = ret == 0;
	store->marked = ret == 0 && super.served;
	return ret;
}

int store_load(struct store *store, struct scratch *scratch, struct recovery *recovery)
{
	struct work work = { .store = store, .scratch = scratch, .found = recovery };
	int ret = 0;

	pthread_mutex_lock(&store->lock);
	if (!store->loaded)
		ret = load(&work);
	pthread_mutex_unlock(&store->lock);
	return ret;
}
