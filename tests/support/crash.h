/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crash.h -- a process that dies at its n-th system call, for each n, and what
 * has to be true of the file afterwards. The library is real, its device is not.
 */
#ifndef PINREG_TESTS_SUPPORT_CRASH_H
#define PINREG_TESTS_SUPPORT_CRASH_H

#include <stdbool.h>

#include <pinreg/pinreg.h>

#include "sys/sys.h"

/* Where, and how: set before the others are called. */
struct crash_place {
	const char *directory; /* empty, or with other things in it */
	bool page_cache;       /* files there are not in DAX state */
	bool fake_flags;       /* the filesystem's flags are not used, but some of our own */
};

/* A file as it was, and as the crash may have left it. */
enum crash_scene {
	CRASH_NEW,	   /* open a file that is not there */
	CRASH_GROW,	   /* open one with data, longer */
	CRASH_HOLES,	   /* open one with data and holes, as it is */
	CRASH_OPEN_SEALED, /* open one with data, longer, IMMUTABLE */
	CRASH_NEW_SEALED,
	CRASH_CLOSE,   /* close one that is open IMMUTABLE */
	CRASH_BREAK,   /* somebody reads one that is open IMMUTABLE, until it is back */
	CRASH_REGROW,  /* somebody cuts one that is open IMMUTABLE, until it is back */
	CRASH_SEAL,    /* pinreg_file_seal() */
	CRASH_UNSEAL,  /* pinreg_file_unseal() */
	CRASH_PREPARE, /* pinreg_file_prepare() of one with data, longer, IMMUTABLE */
};

/*
 * Kill at every point; recover, or open it again, and look. Fails the case with
 * the number of the point; prints how many there were.
 */
void crash_everywhere(const struct crash_place *place, enum crash_scene scene);

#endif
