/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store.c -- the objects of one FILE: reserve, commit, look up, remove.
 */
#include "store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"

int scratch_make(struct scratch *scratch)
{
	scratch->piece = malloc(PMEM_PIECE);
	scratch->stream = checksum_start();
	if (scratch->piece && scratch->stream)
		return 0;
	scratch_free(scratch);
	return -ENOMEM;
}

void scratch_free(struct scratch *scratch)
{
	free(scratch->piece);
	checksum_end(scratch->stream);
	*scratch = (struct scratch){ 0 };
}

void store_init(struct store *store, struct names *names, const struct serve_file *file,
		bool index_only)
{
	memset(store, 0, sizeof(*store));
	store->names = names;
	store->path = file->path;
	store->mirror_path = file->mirror_path;
	store->other_path = file->other_path;
	store->index_only = index_only;
	store->mirror.fd = -1;
	pthread_mutex_init(&store->lock, NULL);
}

void store_close(struct store *store)
{
	if (store_has_mirror(store) && store->erase_pending)
		mirror_sync(&store->mirror);
	mirror_close(&store->mirror);
	index_free(&store->index);
	pthread_mutex_destroy(&store->lock);
}

static uint64_t entry_offset(const struct store *store, uint64_t number)
{
	return store->index.super.index_offset + number * FORMAT_ENTRY;
}

void store_set_entry(struct store *store, struct entry *entry, const struct entry *value)
{
	pthread_mutex_lock(&store->names->lock);
	*entry = *value;
	pthread_mutex_unlock(&store->names->lock);
}

const struct entry *store_holds(struct store *store, const char *name)
{
	return index_find(&store->index, name);
}

/* The word goes first when it invalidates and last when it validates. */
int store_write_entry(struct store *store, uint64_t number, const struct entry *entry)
{
	uint64_t at = entry_offset(store, number);
	uint8_t raw[FORMAT_ENTRY];
	int ret = pmem_word(&store->pmem, at, 0);

	if (ret || entry->sequence == 0)
		return ret;
	format_encode_entry(entry, raw);
	ret = pmem_write(&store->pmem, at + 8, raw + 8, sizeof(raw) - 8);
	return ret ? ret : pmem_word(&store->pmem, at, get64(raw));
}

int store_mirror_entry(struct store *store, uint64_t number, const struct entry *entry)
{
	uint8_t raw[FORMAT_ENTRY];

	format_encode_entry(entry, raw);
	return mirror_write(&store->mirror, entry_offset(store, number), raw, sizeof(raw));
}

/* A file that cannot be made durable any more must not answer for anything. */
static enum wire_status status_of(struct store *store, int ret)
{
	if (ret == 0)
		return WIRE_OK;
	if (ret == -EAGAIN)
		return WIRE_BUSY;
	store->failed = ret;
	return WIRE_FAILED;
}

static bool lock_serving(struct store *store, struct pmem_view *view)
{
	*view = pmem_look(&store->pmem);
	if (view->gate != PMEM_SERVING)
		return false;
	pthread_mutex_lock(&store->lock);
	*view = pmem_look(&store->pmem);
	if (view->gate == PMEM_SERVING && !store->failed)
		return true;
	pthread_mutex_unlock(&store->lock);
	return false;
}

static struct place place_of(struct store *store, const struct pmem_view *view, uint64_t offset,
			     uint64_t length)
{
	bool pages = store->pmem.granularity == PINREG_GRANULARITY_PAGE;

	return (struct place){ .store = store,
			       .generation = view->generation,
			       .offset = offset - store->index.super.data_offset,
			       .span = pages ? format_whole_pages(length) : length };
}

struct place store_awaited(struct store *store)
{
	struct pmem_view view = pmem_look(&store->pmem);

	return (struct place){ .store = store,
			       .generation = view.generation + (view.gate == PMEM_SHUT) };
}

enum wire_status store_reserve(struct store *store, const char *name, uint64_t length,
			       struct ticket *ticket, uint64_t *free_bytes)
{
	enum wire_status status = WIRE_FULL;
	struct pmem_view view;

	if (!lock_serving(store, &view))
		return WIRE_BUSY;
	*free_bytes = index_free_bytes(&store->index);
	/* an overwrite takes a second entry for a moment, too */
	if (index_spare(&store->index) && index_reserve(&store->index, length, &ticket->offset)) {
		ticket->number = ++store->names->last_sequence;
		ticket->length = length;
		ticket->place = place_of(store, &view, ticket->offset, length);
		memcpy(ticket->name, name, strlen(name) + 1);
		status = WIRE_OK;
	}
	pthread_mutex_unlock(&store->lock);
	return status;
}

bool store_room(struct store *store, uint64_t *free_bytes)
{
	struct pmem_view view;

	if (!lock_serving(store, &view))
		return false;
	*free_bytes = index_free_bytes(&store->index);
	pthread_mutex_unlock(&store->lock);
	return true;
}

void store_cancel(struct ticket *ticket)
{
	struct store *store = ticket->place.store;

	if (ticket->number) {
		pthread_mutex_lock(&store->lock);
		index_release(&store->index, ticket->offset, ticket->length);
		pthread_mutex_unlock(&store->lock);
	}
	*ticket = (struct ticket){ 0 };
}

/*
 * The bytes that are checked are the very bytes that go to the mirror: they are
 * copied out of pmem once, and a peer that writes on meanwhile changes neither.
 * Only this ticket's bytes are taken: beside them others are still writing.
 */
static enum wire_status take_data(struct store *store, const struct ticket *ticket,
				  const struct checksum *sum, struct scratch *scratch)
{
	uint64_t whole = ticket->place.span;
	struct checksum found;
	int ret = pmem_arrived(&store->pmem, ticket->offset, whole);

	checksum_restart(scratch->stream);
	for (uint64_t done = 0; ret == 0 && done < whole;) {
		uint64_t now = whole - done < PMEM_PIECE ? whole - done : PMEM_PIECE;
		uint64_t left = ticket->length - done;

		ret = pmem_read(&store->pmem, ticket->offset + done, scratch->piece, now);
		if (ret)
			break;
		checksum_add(scratch->stream, scratch->piece, left < now ? left : now);
		if (store_mirrors_data(store))
			ret = mirror_write(&store->mirror, ticket->offset + done, scratch->piece,
					   now);
		done += now;
	}
	if (ret)
		return status_of(store, ret);
	found = checksum_result(scratch->stream);
	return checksum_equal(&found, sum) ? WIRE_OK : WIRE_MISMATCH;
}

static int note_entry(struct store *store, uint64_t number, const struct entry *entry)
{
	int ret = store_mirror_entry(store, number, entry);

	if (ret == 0)
		ret = mirror_sync(&store->mirror);
	if (ret == 0)
		store->erase_pending = false;
	return ret;
}

/*
 * Durable in both, in the order that store.h gives. What is in a mirror with its
 * bytes is there for good: where FILE is away, recovery brings it there.
 */
static int change_entry(struct store *store, uint64_t number, const struct entry *entry)
{
	bool mirrored = store_mirrors_data(store);
	int ret = mirrored ? note_entry(store, number, entry) : 0;

	if (ret)
		return ret;
	ret = store_write_entry(store, number, entry);
	if (mirrored)
		return ret == -EAGAIN ? 0 : ret;
	return ret ? ret : note_entry(store, number, entry);
}

/* In memory, and its room is free. */
static void forget(struct store *store, struct entry *entry)
{
	static const struct entry none;

	index_release(&store->index, entry->offset, entry->length);
	store_set_entry(store, entry, &none);
}

static void erase(struct store *store, struct entry *old)
{
	static const struct entry none;
	uint64_t number = index_number(&store->index, old);
	int ret;

	/* Not synced: until it is, the higher sequence of the new entry decides. */
	ret = store_has_mirror(store) ? store_mirror_entry(store, number, &none) : 0;
	if (ret)
		store->failed = ret;
	store->erase_pending = true;
	ret = store_write_entry(store, number, &none);

	/* Where FILE is away, recovery does it. */
	if (ret && ret != -EAGAIN)
		store->failed = ret;
	forget(store, old);
}

static void sync_erased(struct store *store)
{
	int ret = store_has_mirror(store) ? mirror_sync(&store->mirror) : 0;

	if (ret)
		store->failed = ret;
	else
		store->erase_pending = false;
}

/*
 * Synced, unlike an overwriting in one file: whoever removes the newer version
 * in the other file later must not wake this one.
 */
void store_erase_version(struct store *store, const char *name, uint64_t sequence)
{
	pthread_mutex_lock(&store->lock);
	for (uint64_t i = 0; i < store->index.super.entries; i++) {
		struct entry *entry = &store->index.entries[i];

		if (entry->sequence != sequence || strcmp(entry->name, name) != 0)
			continue;
		erase(store, entry);
		sync_erased(store);
	}
	pthread_mutex_unlock(&store->lock);
}

static enum wire_status publish(struct store *store, struct ticket *ticket,
				const struct checksum *sum)
{
	struct entry *old = index_find(&store->index, ticket->name);
	struct entry *spare = index_spare(&store->index);
	struct entry entry = { .sequence = ticket->number,
			       .offset = ticket->offset,
			       .length = ticket->length,
			       .sum = *sum };
	int ret;

	if (!spare)
		return WIRE_FULL;
	if (old && old->sequence > ticket->number)
		return WIRE_OK; /* put by two at once, and the other was the later one */
	memcpy(entry.name, ticket->name, sizeof(entry.name));
	ret = change_entry(store, index_number(&store->index, spare), &entry);
	if (ret)
		return status_of(store, ret);
	store_set_entry(store, spare, &entry);
	ticket->number = 0; /* the extent belongs to the entry now */
	if (old)
		erase(store, old);
	return WIRE_OK;
}

enum wire_status store_commit(struct ticket *ticket, const struct checksum *sum,
			      struct scratch *scratch)
{
	struct store *store = ticket->place.store;
	enum wire_status status = take_data(store, ticket, sum, scratch);
	struct pmem_view view;

	if (status == WIRE_OK && !lock_serving(store, &view)) {
		status = WIRE_BUSY;
	} else if (status == WIRE_OK) {
		status = view.generation == ticket->place.generation ? publish(store, ticket, sum)
								     : WIRE_STALE;
		pthread_mutex_unlock(&store->lock);
	} else if (pmem_look(&store->pmem).generation != ticket->place.generation) {
		status = WIRE_STALE; /* and not a mismatch: the bytes went with the old keys */
	}
	store_cancel(ticket);
	return status == WIRE_BUSY ? WIRE_STALE : status;
}

enum wire_status store_lookup(struct store *store, const char *name, struct entry *entry,
			      struct place *place)
{
	enum wire_status status = WIRE_NOT_FOUND;
	const struct entry *found;
	struct pmem_view view;

	if (!lock_serving(store, &view))
		return WIRE_BUSY;
	found = index_find(&store->index, name);
	if (found) {
		*entry = *found;
		*place = place_of(store, &view, found->offset, found->length);
		status = found->flags & ENTRY_DESTROYED ? WIRE_DESTROYED : WIRE_OK;
	}
	pthread_mutex_unlock(&store->lock);
	return status;
}

static enum wire_status remove_entry(struct store *store, struct entry *entry)
{
	static const struct entry none;
	int ret = 0;

	/* An older version of it must not come back when this one is gone. */
	if (store->erase_pending)
		ret = mirror_sync(&store->mirror);
	if (ret == 0)
		ret = change_entry(store, index_number(&store->index, entry), &none);
	if (ret)
		return status_of(store, ret);
	forget(store, entry);
	return WIRE_OK;
}

enum wire_status store_remove(struct store *store, const char *name)
{
	enum wire_status status = WIRE_NOT_FOUND;
	struct entry *entry;
	struct pmem_view view;

	if (!lock_serving(store, &view))
		return WIRE_BUSY;
	entry = index_find(&store->index, name);
	if (entry)
		status = remove_entry(store, entry);
	pthread_mutex_unlock(&store->lock);
	return status;
}
