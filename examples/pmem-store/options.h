/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.h -- what the user of "serve" chose.
 */
#ifndef PMEM_STORE_OPTIONS_H
#define PMEM_STORE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <pinreg/pinreg.h>

#define SERVE_FILES 64u

struct serve_file {
	const char *path;
	char *mirror_path; /* what follows FILE: a mirror, or a copy of the index */
	char *other_path;  /* where that of the other sort would be */
};

struct serve_options {
	struct serve_file files[SERVE_FILES];
	unsigned int count;
	uint64_t size;	  /* of each; 0: the size it has */
	const char *addr; /* NULL: every address */
	uint16_t port;
	enum pinreg_granularity granularity;
	bool index_only;
};

#endif
