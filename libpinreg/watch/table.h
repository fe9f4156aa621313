/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table.h -- files by a number: their descriptor, or their inotify watch. A
 * look-up costs the same whatever the number of files.
 */
#ifndef PINREG_WATCH_TABLE_H
#define PINREG_WATCH_TABLE_H

#include <stddef.h>

struct pinreg_file;

/* Part of what is in a table. */
struct pinreg_entry {
	struct pinreg_entry *next;
	struct pinreg_file *file;
	int key;
};

struct pinreg_table {
	struct pinreg_entry **buckets;
	size_t room; /* number of buckets: a power of two, or 0 */
};

/* See that count entries find room; so adding one cannot fail. 0 or -ENOMEM. */
int pinreg_table_reserve(struct pinreg_table *table, size_t count);

/* ASSUMPTIONS: reserved; entry is in no table. */
void pinreg_table_add(struct pinreg_table *table, struct pinreg_entry *entry, int key,
		      struct pinreg_file *file);

/* Take it out. Nothing where it is in no table. */
void pinreg_table_remove(struct pinreg_table *table, struct pinreg_entry *entry);

/* The file with that number, or NULL. */
struct pinreg_file *pinreg_table_find(const struct pinreg_table *table, int key);

/* ASSUMPTIONS: empty. */
void pinreg_table_destroy(struct pinreg_table *table);

#endif
