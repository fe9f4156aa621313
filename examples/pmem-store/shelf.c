/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shelf.c -- all stores of a server: one space of names over several files.
 */
#include "shelf.h"

#include <string.h>

void shelf_init(struct shelf *shelf, const struct serve_options *options)
{
	memset(shelf, 0, sizeof(*shelf));
	pthread_mutex_init(&shelf->names.lock, NULL);
	shelf->count = options->count;
	for (unsigned int i = 0; i < shelf->count; i++)
		store_init(&shelf->stores[i], &shelf->names, &options->files[i],
			   options->index_only);
}

void shelf_close(struct shelf *shelf)
{
	for (unsigned int i = 0; i < shelf->count; i++)
		store_close(&shelf->stores[i]);
	pthread_mutex_destroy(&shelf->names.lock);
}

struct store *shelf_failed(struct shelf *shelf)
{
	for (unsigned int i = 0; i < shelf->count; i++) {
		if (store_failed(&shelf->stores[i]))
			return &shelf->stores[i];
	}
	return NULL;
}

/* Who has an object: the newest, and one that is older and somewhere else. */
struct holders {
	struct store *newest; /* NULL: nobody */
	struct store *older;  /* NULL: none */
	uint64_t sequence;
	uint64_t older_sequence;
};

static struct holders find(struct shelf *shelf, const char *name)
{
	struct holders found = { 0 };

	pthread_mutex_lock(&shelf->names.lock);
	for (unsigned int i = 0; i < shelf->count; i++) {
		struct store *store = &shelf->stores[i];
		const struct entry *entry = store_holds(store, name);

		if (!entry)
			continue;
		if (entry->sequence < found.sequence) {
			found.older = store;
			found.older_sequence = entry->sequence;
			continue;
		}
		found.older = found.newest;
		found.older_sequence = found.sequence;
		found.newest = store;
		found.sequence = entry->sequence;
	}
	pthread_mutex_unlock(&shelf->names.lock);
	return found;
}

static bool is_there(struct store *store)
{
	return pmem_look(&store->pmem).gate == PMEM_SERVING;
}

/* After every commit: whoever commits last of several erases what the others left. */
static void erase_older(struct shelf *shelf, const char *name)
{
	struct holders found;

	while (found = find(shelf, name), found.older) {
		shelf->moves++;
		store_erase_version(found.older, name, found.older_sequence);
	}
}

/* The store that is there and has the most room, of those not tried. NULL: none left. */
static struct store *most_room(struct shelf *shelf, const bool *tried, struct store **away)
{
	struct store *best = NULL;
	uint64_t most = 0;

	for (unsigned int i = 0; i < shelf->count; i++) {
		uint64_t room;

		if (tried[i])
			continue;
		if (!store_room(&shelf->stores[i], &room)) {
			*away = &shelf->stores[i];
		} else if (!best || room > most) {
			best = &shelf->stores[i];
			most = room;
		}
	}
	return best;
}

enum wire_status shelf_reserve(struct shelf *shelf, const char *name, uint64_t length,
			       struct ticket *ticket, struct place *place, uint64_t *free_bytes)
{
	struct holders holders = find(shelf, name);
	bool tried[SERVE_FILES] = { false };
	enum wire_status status;
	struct store *store = holders.newest;
	struct store *away = NULL;

	*free_bytes = 0;
	if (!store)
		store = most_room(shelf, tried, &away);
	while (store) {
		uint64_t room = 0;

		tried[store - shelf->stores] = true;
		status = store_reserve(store, name, length, ticket, &room);
		if (status == WIRE_OK)
			return status;
		if (status == WIRE_BUSY)
			away = store;
		if (away && away == holders.newest)
			break;
		*free_bytes = room > *free_bytes ? room : *free_bytes;
		store = most_room(shelf, tried, &away);
	}
	/* the one that is away may have the room */
	if (!away)
		return WIRE_FULL;
	*place = store_awaited(away);
	return WIRE_BUSY;
}

enum wire_status shelf_commit(struct shelf *shelf, struct ticket *ticket,
			      const struct checksum *sum, struct scratch *scratch,
			      struct place *place)
{
	struct holders holders = find(shelf, ticket->name);
	struct store *store = ticket->place.store;
	char name[FORMAT_NAME + 1];
	enum wire_status status;

	memcpy(name, ticket->name, sizeof(name));
	/* the older version has to be erased there */
	if (holders.newest && !is_there(holders.newest)) {
		store_cancel(ticket);
		*place = store_awaited(holders.newest);
		return WIRE_STALE;
	}
	status = store_commit(ticket, sum, scratch);
	if (status == WIRE_OK)
		erase_older(shelf, name);
	else if (status == WIRE_STALE)
		*place = store_awaited(store);
	return status;
}

enum wire_status shelf_lookup(struct shelf *shelf, const char *name, struct entry *entry,
			      struct place *place)
{
	struct store *store;

	while ((store = find(shelf, name).newest)) {
		enum wire_status status = store_lookup(store, name, entry, place);

		if (status == WIRE_BUSY)
			*place = store_awaited(store);
		if (status != WIRE_NOT_FOUND) /* else it has just moved */
			return status;
	}
	return WIRE_NOT_FOUND;
}

/* The older version goes first: a crash between the two must not bring it back. */
enum wire_status shelf_remove(struct shelf *shelf, const char *name, struct place *place)
{
	struct store *store;

	while ((store = find(shelf, name).newest)) {
		enum wire_status status;

		if (is_there(store))
			erase_older(shelf, name);
		status = store_remove(store, name);
		if (status == WIRE_BUSY)
			*place = store_awaited(store);
		if (status != WIRE_NOT_FOUND)
			return status;
	}
	return WIRE_NOT_FOUND;
}
