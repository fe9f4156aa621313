/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * preparing.h -- one preparation under way, as its steps see it.
 */
#ifndef PINREG_FILE_PREPARING_H
#define PINREG_FILE_PREPARING_H

#include <stdbool.h>
#include <stdint.h>

#include "file/prepared.h"

/* A stretch of the file, bytes. */
struct pinreg_span {
	uint64_t start;
	uint64_t end;
};

/* What the file lacks. The stretches ascend and do not touch. */
struct pinreg_needs {
	uint64_t missing;	   /* bytes without a block */
	bool shared;		   /* some blocks are other files' too */
	uint64_t bytes;		   /* of the stretches: without data, with a block or not */
	struct pinreg_span *spans; /* NULL: none */
	size_t count;
	size_t room;
};

struct pinreg_preparing {
	struct pinreg_prepared *file;
	const struct pinreg_sys *sys;
	struct pinreg_tenure *tenure;
	struct pinreg_why *why; /* never NULL */
	uint64_t found_size;
	uint64_t found_room; /* bytes free on the filesystem */
	struct pinreg_needs needs;
};

/* Every step: 0, or -errno with *why. */

/* Look at the whole length, as the block map is now. */
int pinreg_preparing_look(struct pinreg_preparing *work);

/*
 * Blocks for everything, and the size. A look afterwards finds no byte without a
 * block. *changed: what the last look found holds no longer.
 */
int pinreg_preparing_allocate(struct pinreg_preparing *work, bool *changed);

/*
 * Zeros where the last look found no data; existing data is not touched. Asks
 * between two pieces whether somebody waits for the file. What was done is counted
 * in file->zeroed, also where it could not be ended.
 */
int pinreg_preparing_zero(struct pinreg_preparing *work);

/* Forget what a look found. */
void pinreg_preparing_forget(struct pinreg_preparing *work);

/* So many bytes at offset were zeroed. One thread at a time. */
void pinreg_preparing_count(struct pinreg_prepared *file, uint64_t offset, uint64_t length);

/* A system call failed: *why, and status back. */
int pinreg_preparing_failed(struct pinreg_preparing *work, const char *step, int status);

#endif
