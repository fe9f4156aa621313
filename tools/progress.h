/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * progress.h -- how far slow work is, on stderr.
 *
 * On a terminal a bar that moves; elsewhere a line now and then. What is done
 * within a second shows nothing.
 */
#ifndef TOOL_PROGRESS_H
#define TOOL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *what; /* "zeroing", at the start of a line */
	bool bar;	  /* there is one on the terminal */
	uint64_t next_ns; /* do not say more before that */
};

void progress_begin(struct progress *progress, const char *what);

/* A pinreg_progress_function; context: struct progress. */
int progress_show(void *context, uint64_t done, uint64_t total);

/* Nothing is left on the terminal. */
void progress_end(struct progress *progress);

#endif
