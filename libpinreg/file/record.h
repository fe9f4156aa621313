/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record.h -- what has to be taken back on a file if its owner dies: the text
 * that is kept beside the file, written before the first change.
 */
#ifndef PINREG_FILE_RECORD_H
#define PINREG_FILE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "file/owner.h"

enum pinreg_phase {
	PINREG_PHASE_PREPARING = 1, /* undo: old size and flags, or no file at all */
	PINREG_PHASE_SEALED = 2,    /* the file is whole: only the flags are to be undone */
};

struct pinreg_record {
	enum pinreg_phase phase;
	bool created; /* PREPARING: there was no file */
	/* which inode: its number is used again, its generation or birth are not */
	uint64_t device; /* st_dev */
	uint64_t inode;
	uint64_t generation; /* 0: not known */
	uint64_t born_ns;    /* 0: not known */
	uint64_t old_size;   /* bytes */
	uint64_t new_size;   /* bytes */
	bool has_flags;
	struct pinreg_file_flags old_flags;
	struct pinreg_owner owner;
};

/* Room for any record and a byte more, so that a longer text is seen. */
#define PINREG_RECORD_ROOM 1024

/* Write it as text, with a checksum and without an ending zero. Its length. */
size_t pinreg_record_format(const struct pinreg_record *record, char text[PINREG_RECORD_ROOM]);

/*
 * Read one: exactly what pinreg_record_format() would write, or -EBADMSG.
 * text may hold anything and needs no end.
 */
int pinreg_record_parse(const char *text, size_t length, struct pinreg_record *out);

#endif
