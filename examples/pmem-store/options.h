/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.h -- what the user of "serve" chose.
 */
#ifndef PMEM_STORE_OPTIONS_H
#define PMEM_STORE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <pinreg/pinreg.h>

struct serve_options {
	const char *path;
	uint64_t size;	  /* 0: the size FILE has */
	const char *addr; /* NULL: every address */
	uint16_t port;
	enum pinreg_granularity granularity;
	const char *mirror_path; /* what follows FILE: a mirror, or a copy of the index */
	const char *other_path;	 /* where that of the other sort would be */
	bool index_only;
};

#endif
