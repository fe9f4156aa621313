/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server.h -- serve FILE until a signal ends it.
 */
#ifndef PMEM_STORE_SERVER_H
#define PMEM_STORE_SERVER_H

#include <stdint.h>

struct serve_options {
	const char *path;
	uint64_t size;	  /* 0: the size FILE has */
	const char *addr; /* NULL: every address */
	uint16_t port;
	const char *mirror_path; /* NULL: no mirror */
};

/* Return: the exit status. */
int server_run(const struct serve_options *options);

#endif
