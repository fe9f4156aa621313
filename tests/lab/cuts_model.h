/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cuts_model.h -- what a file must be after a power cut, kept beside it: what it
 * was before the step that was under way, and what it was to be after it.
 */
#ifndef PINREG_TESTS_LAB_CUTS_MODEL_H
#define PINREG_TESTS_LAB_CUTS_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define CUTS_PAGE 4096u
#define CUTS_PAGES 16u /* the first ones are written to; all others stay zero */

enum cuts_action {
	CUTS_PREPARE,
	CUTS_PREPARE_SEALED,
	CUTS_SEAL,
	CUTS_UNSEAL,
	CUTS_OPEN, /* with the immutable flag, and a page is written */
	CUTS_SHRINK,
	CUTS_REMOVE,
	CUTS_ACTIONS,
};

struct cuts_state {
	uint32_t exists;
	uint32_t sealed; /* a standing seal */
	uint64_t size;
	uint32_t version[CUTS_PAGES]; /* 0: zeros */
};

struct cuts_intent {
	uint64_t number;
	uint32_t action; /* enum cuts_action */
	uint32_t page;	 /* OPEN: the one that is written */
	uint32_t xflags; /* before it; of xfs and ext4: FS_XFLAG_* */
	uint32_t extsize;
	struct cuts_state before, after;
};

/* The directory of the file and of its model; they are made by the first. */
struct cuts_place {
	char directory[64];
	char file[96];
	struct cuts_intent intent;
};

const char *cuts_action_name(enum cuts_action action);

/* Read the intent, or begin with no file. */
void cuts_load(struct cuts_place *place);

/* Make place->intent durable, at once or not at all. */
void cuts_save(const struct cuts_place *place);

/* Note flags and extent-size hint of the file as it is. */
void cuts_note_flags(struct cuts_place *place);

/*
 * After the file was recovered: it is as before the action or as after it, and
 * nothing else is left. intent.before is then what it is. Ends the program with
 * "WRONG: " and what is wrong.
 */
void cuts_check(struct cuts_place *place);

/* Byte of a page of that version, at an offset within it. */
unsigned char cuts_byte(uint32_t version, unsigned int offset);

void cuts_wrong(const struct cuts_place *place, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));

#endif
