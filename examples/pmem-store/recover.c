/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recover.c -- make FILE right again: at the start, and after every break.
 *
 * What is right: the index in memory if there is one, else what load.c found.
 * What an object should be, its checksum says.
 */
#include "recover.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"

int work_fail(struct work *work, int error, const char *format, ...)
{
	va_list args;

	if (error == -EAGAIN)
		return error;
	va_start(args, format);
	vsnprintf(work->found->problem, sizeof(work->found->problem), format, args);
	va_end(args);
	return error;
}

/* ---- where the bytes of an object are right -------------------------------- */

int work_read_file(struct store *store, uint64_t offset, void *to, size_t length)
{
	return pmem_read(&store->pmem, offset, to, length);
}

int work_read_mirror(struct store *store, uint64_t offset, void *to, size_t length)
{
	return mirror_read(&store->mirror, offset, to, length);
}

int work_is_right(struct work *work, const struct entry *entry, work_read *read, bool *right)
{
	struct checksum sum;

	checksum_restart(work->scratch->stream);
	for (uint64_t done = 0; done < entry->length;) {
		uint64_t now =
			entry->length - done < PMEM_PIECE ? entry->length - done : PMEM_PIECE;
		int ret = read(work->store, entry->offset + done, work->scratch->piece, now);

		if (ret)
			return ret;
		checksum_add(work->scratch->stream, work->scratch->piece, now);
		done += now;
	}
	sum = checksum_result(work->scratch->stream);
	*right = checksum_equal(&sum, &entry->sum);
	return 0;
}

static int copy_object(struct work *work, const struct entry *entry, bool to_mirror)
{
	struct store *store = work->store;
	uint8_t *piece = work->scratch->piece;
	int ret = 0;

	for (uint64_t done = 0; ret == 0 && done < entry->length;) {
		uint64_t at = entry->offset + done;
		uint64_t left = format_whole_pages(entry->length) - done;
		uint64_t now = left < PMEM_PIECE ? left : PMEM_PIECE;

		ret = to_mirror ? work_read_file(store, at, piece, now)
				: work_read_mirror(store, at, piece, now);
		if (ret == 0)
			ret = to_mirror ? mirror_write(&store->mirror, at, piece, now)
					: pmem_write(&store->pmem, at, piece, now);
		done += now;
	}
	return ret;
}

/* ---- FILE ------------------------------------------------------------------- */

/*
 * FILE says truly what follows it. The word goes first: a valid
 * superblock with a stale word would have the mirror refused after a crash.
 */
static int note_follower(struct work *work, uint64_t follower)
{
	return pmem_word(&work->store->pmem, FORMAT_FOLLOWER_AT, follower);
}

static int right_super(struct work *work)
{
	struct store *store = work->store;
	uint8_t wanted[FORMAT_PAGE];
	uint8_t page[FORMAT_PAGE];
	uint64_t follower = store_has_mirror(store) ? store_follower(store) : FORMAT_NO_FOLLOWER;
	int ret = note_follower(work, follower);

	if (ret == 0)
		ret = work_read_file(store, 0, page, sizeof(page));
	format_encode_super(&store->index.super, wanted);
	put64(wanted + FORMAT_FOLLOWER_AT, follower);
	if (ret == 0 && memcmp(page, wanted, sizeof(page)) != 0)
		ret = pmem_write(&store->pmem, 0, wanted, sizeof(wanted));
	return ret;
}

static bool same_entry(const struct entry *entry, const uint8_t raw[FORMAT_ENTRY])
{
	uint8_t wanted[FORMAT_ENTRY];

	if (entry->sequence == 0)
		return get64(raw) == 0;
	format_encode_entry(entry, wanted);
	return memcmp(raw, wanted, sizeof(wanted)) == 0;
}

static int right_entries(struct work *work)
{
	struct store *store = work->store;
	struct index *index = &store->index;
	uint8_t page[FORMAT_PAGE];
	int ret = 0;

	for (uint64_t i = 0; ret == 0 && i < index->super.entries; i++) {
		size_t within = i * FORMAT_ENTRY % FORMAT_PAGE;

		if (within == 0)
			ret = work_read_file(store, index->super.index_offset + i * FORMAT_ENTRY,
					     page, sizeof(page));
		if (ret || same_entry(&index->entries[i], page + within))
			continue;
		ret = store_write_entry(store, i, &index->entries[i]);
		work->found->entries += ret == 0;
	}
	return ret;
}

static int set_destroyed(struct work *work, struct entry *entry, bool destroyed)
{
	struct store *store = work->store;
	uint64_t number = index_number(&store->index, entry);
	uint32_t flags =
		destroyed ? entry->flags | ENTRY_DESTROYED : entry->flags & ~ENTRY_DESTROYED;
	int ret = 0;

	if (flags == entry->flags)
		return 0;
	entry->flags = flags;
	if (store_has_mirror(store))
		ret = store_mirror_entry(store, number, entry);
	return ret ? ret : store_write_entry(store, number, entry);
}

/* FILE's copy is wrong. */
static int bring_back(struct work *work, struct entry *entry)
{
	bool right = false;
	int ret = 0;

	if (store_mirrors_data(work->store))
		ret = work_is_right(work, entry, work_read_mirror, &right);
	if (ret == 0 && right)
		ret = copy_object(work, entry, false);
	if (ret)
		return ret;
	if (right) {
		work->found->repaired++;
		work->found->repaired_bytes += entry->length;
		work->found->objects++;
		work->found->bytes += entry->length;
	} else {
		work->found->destroyed++;
	}
	return set_destroyed(work, entry, !right);
}

static int right_object(struct work *work, struct entry *entry)
{
	bool right;
	int ret = work_is_right(work, entry, work_read_file, &right);

	if (ret)
		return ret;
	if (!right)
		return bring_back(work, entry);
	work->found->objects++;
	work->found->bytes += entry->length;
	if (work->store->mirror_unchecked) {
		bool mirror_right;

		ret = work_is_right(work, entry, work_read_mirror, &mirror_right);
		if (ret == 0 && !mirror_right) {
			ret = copy_object(work, entry, true);
			work->found->mirrored++;
		}
		if (ret)
			return ret;
	}
	return set_destroyed(work, entry, false);
}

static int right_objects(struct work *work)
{
	struct index *index = &work->store->index;
	int ret = 0;

	for (uint64_t i = 0; ret == 0 && i < index->super.entries; i++) {
		if (index->entries[i].sequence)
			ret = right_object(work, &index->entries[i]);
	}
	if (ret == 0 && store_has_mirror(work->store))
		ret = mirror_sync(&work->store->mirror);
	if (ret == 0)
		work->store->mirror_unchecked = false;
	return ret;
}

static int build_mirror(struct work *work)
{
	struct store *store = work->store;
	struct index *index = &store->index;
	int ret;

	mirror_close(&store->mirror);
	ret = mirror_begin(&store->mirror, store->mirror_path,
			   store->index_only ? index->super.data_offset : index->super.size);
	for (uint64_t i = 0; ret == 0 && i < index->super.entries; i++) {
		if (index->entries[i].sequence == 0)
			continue;
		if (!store->index_only)
			ret = copy_object(work, &index->entries[i], true);
		if (ret == 0)
			ret = store_mirror_entry(store, i, &index->entries[i]);
	}
	/* noted before it has its name: a mirror that is not there is made again */
	if (ret == 0)
		ret = note_follower(work, store_follower(store));
	if (ret == 0)
		ret = mirror_finish(&store->mirror, &index->super);
	if (ret)
		mirror_close(&store->mirror);
	work->found->mirror_made = ret == 0 && !store->index_only;
	work->found->index_made = ret == 0 && store->index_only;
	return ret;
}

static int recover(struct work *work)
{
	struct store *store = work->store;
	int ret = right_super(work);

	if (ret == 0)
		ret = right_entries(work);
	if (ret == 0)
		ret = right_objects(work);
	if (ret == 0 && !store_has_mirror(store))
		ret = build_mirror(work);
	/* a copy of the index that is no longer followed must not be taken for one */
	if (ret == 0 && store_mirrors_data(store) && mirror_size(store->other_path))
		unlink(store->other_path);
	return ret ? work_fail(work, ret, "%s or its mirror cannot be put right: %s", store->path,
			       strerror(-ret))
		   : 0;
}

int store_mark(struct store *store, struct scratch *scratch, struct recovery *recovery)
{
	struct work work = { .store = store, .scratch = scratch, .found = recovery };
	int ret;

	pthread_mutex_lock(&store->lock);
	store->index.super.served = true;
	ret = mirror_note(&store->mirror, &store->index.super);
	if (ret == 0)
		ret = right_super(&work);
	store->marked = ret == 0;
	pthread_mutex_unlock(&store->lock);
	return ret ? work_fail(&work, ret, "%s or its mirror cannot be written: %s", store->path,
			       strerror(-ret))
		   : 0;
}

int store_recover(struct store *store, struct scratch *scratch, struct recovery *recovery)
{
	struct work work = { .store = store, .scratch = scratch, .found = recovery };
	uint64_t generation = pmem_look(&store->pmem).generation;
	int ret;

	pthread_mutex_lock(&store->lock);
	recovery->made = store->made;
	ret = recover(&work);
	if (ret == 0)
		store->made = false;
	pthread_mutex_unlock(&store->lock);
	if (ret == 0 && !pmem_serve(&store->pmem, generation))
		ret = -EAGAIN;
	return ret;
}
