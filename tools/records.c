/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * records.c -- the files of a directory that have a record beside them.
 */
#include "records.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX ".pinreg-"

/* The inode that a record of this name is of, or 0. */
static uint64_t inode_of(const char *name)
{
	const char *digits = name + sizeof(PREFIX) - 1;
	char *end;
	uint64_t inode;

	/* what is being written has a longer name; strtoull takes signs, blanks and 0x */
	if (strncmp(name, PREFIX, sizeof(PREFIX) - 1) != 0 ||
	    strspn(digits, "0123456789abcdef") != strlen(digits))
		return 0;
	errno = 0;
	inode = strtoull(digits, &end, 16);
	return errno || *end ? 0 : inode;
}

static int add(struct records *records, uint64_t inode)
{
	struct record *longer =
		realloc(records->list, (records->count + 1) * sizeof(*records->list));

	if (!longer)
		return ENOMEM;
	records->list = longer;
	longer[records->count++] = (struct record){ .inode = inode };
	return 0;
}

/* Of several names of one inode the first will do. */
static int name_file(struct records *records, const struct dirent *entry)
{
	for (size_t i = 0; i < records->count; i++) {
		struct record *record = &records->list[i];

		if (record->inode != entry->d_ino || record->file)
			continue;
		record->file = strdup(entry->d_name);
		if (!record->file)
			return ENOMEM;
	}
	return 0;
}

static int read_all(DIR *directory, struct records *out)
{
	const struct dirent *entry;
	int error = 0;

	while (!error && (entry = readdir(directory))) {
		uint64_t inode = inode_of(entry->d_name);

		if (inode)
			error = add(out, inode);
	}
	rewinddir(directory);
	while (!error && out->count && (entry = readdir(directory)))
		error = name_file(out, entry);
	return error;
}

int records_find(const char *directory, struct records *out)
{
	DIR *open = opendir(directory);
	int error;

	*out = (struct records){ 0 };
	if (!open)
		return errno;
	error = read_all(open, out);
	closedir(open);
	if (error)
		records_free(out);
	return error;
}

void records_free(struct records *records)
{
	for (size_t i = 0; i < records->count; i++)
		free(records->list[i].file);
	free(records->list);
	*records = (struct records){ 0 };
}
