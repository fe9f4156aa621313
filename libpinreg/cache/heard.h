/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heard.h -- which memory does not change without the monitor hearing of it.
 */
#ifndef PINREG_CACHE_HEARD_H
#define PINREG_CACHE_HEARD_H

#include <stdbool.h>
#include <stdint.h>

#include "sys/sys.h"

/* What was found when a range was looked at. */
struct pinreg_heard {
	bool keep;	     /* a pinned region of it may be kept, if the monitor watches it */
	uint64_t start, end; /* the whole mapping, if all of it is anonymous; else both 0 */
};

/*
 * May a pinned region of the range be kept, if the monitor watches it? All of it must be
 * private anonymous memory, variables of the program, or private huge pages without a file;
 * with keep_files, which says that nobody else truncates, punches or empties them, also
 * files, and shared memory of any kind. Never System V segments: shmdt() sends no message.
 * Looks at the memory map, so not under a lock. Where it cannot: no.
 */
struct pinreg_heard pinreg_heard_of(const struct pinreg_sys *sys, uint64_t addr, uint64_t length,
				    bool keep_files);

/* Is it private anonymous memory, of which everything is heard? */
bool pinreg_heard_is_anonymous(const struct pinreg_mapping *mapping);

#endif
