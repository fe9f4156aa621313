/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verify.h -- are a file's blocks as they must be? The one answer for who
 * prepares a file and for who only looks at it.
 */
#ifndef PINREG_FILE_VERIFY_H
#define PINREG_FILE_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include <pinreg/prepare.h>

#include "sys/sys.h"

/* What to look at, and who is told of flaws. */
struct pinreg_verify {
	const struct pinreg_sys *sys;
	int fd;
	uint64_t length; /* from the start, bytes */
	bool dax;
	bool tmpfs;		    /* there is no block map, only data and holes */
	pinreg_flaw_function *flaw; /* or NULL */
	void *context;
};

/*
 * Fill in what the blocks tell: extents, block_map, huge, and flaws to other;
 * the rest of *out stays. block_map is 0 where there is none to know.
 * 0 with or without flaws, what flaw() returned if not 0, or the -errno of the
 * system call that pinreg_verify_call() names.
 */
int pinreg_verify_blocks(const struct pinreg_verify *verify, struct pinreg_file_report *out);

/* "FIEMAP", or what stands in for it. */
const char *pinreg_verify_call(const struct pinreg_verify *verify);

#endif
