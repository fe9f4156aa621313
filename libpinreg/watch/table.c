/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table.c -- files by a number.
 */
#include "watch/table.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#define FIRST_ROOM 64

static struct pinreg_entry **bucket_of(const struct pinreg_table *table, int key)
{
	/* the numbers are small and mostly in a row: that spreads them already */
	return &table->buckets[(uint32_t)key & (table->room - 1)];
}

static void link_entry(struct pinreg_table *table, struct pinreg_entry *entry)
{
	struct pinreg_entry **bucket = bucket_of(table, entry->key);
	entry->next = *bucket;
	*bucket = entry;
}

int pinreg_table_reserve(struct pinreg_table *table, size_t count)
{
	size_t room = table->room ? table->room : FIRST_ROOM;
	while (room < count)
		room *= 2;
	if (room == table->room)
		return 0;
	struct pinreg_table grown = { .room = room, .buckets = calloc(room, sizeof(void *)) };
	if (!grown.buckets)
		return -ENOMEM;
	for (size_t i = 0; i < table->room; i++) {
		for (struct pinreg_entry *entry = table->buckets[i], *next; entry; entry = next) {
			next = entry->next;
			link_entry(&grown, entry);
		}
	}
	free(table->buckets);
	*table = grown;
	return 0;
}

void pinreg_table_add(struct pinreg_table *table, struct pinreg_entry *entry, int key,
		      struct pinreg_file *file)
{
	entry->key = key;
	entry->file = file;
	link_entry(table, entry);
}

void pinreg_table_remove(struct pinreg_table *table, struct pinreg_entry *entry)
{
	if (!entry->file)
		return;
	struct pinreg_entry **link = bucket_of(table, entry->key);
	while (*link != entry)
		link = &(*link)->next;
	*link = entry->next;
	entry->file = NULL;
}

struct pinreg_file *pinreg_table_find(const struct pinreg_table *table, int key)
{
	if (!table->room)
		return NULL;
	for (struct pinreg_entry *entry = *bucket_of(table, key); entry; entry = entry->next)
		if (entry->key == key)
			return entry->file;
	return NULL;
}

void pinreg_table_destroy(struct pinreg_table *table)
{
	free(table->buckets);
	*table = (struct pinreg_table){ 0 };
}
