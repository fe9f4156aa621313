/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * say.h -- what the user reads: results and events on stdout, errors on stderr.
 */
#ifndef PMEM_STORE_SAY_H
#define PMEM_STORE_SAY_H

#include <stdio.h>

/* stdout carries object data in a client, so a client speaks on stderr only. */
#define say(...) (printf(__VA_ARGS__), putchar('\n'), fflush(stdout))
#define complain(...)                                                                              \
	(fputs("pmem-store: ", stderr), fprintf(stderr, __VA_ARGS__), fputc('\n', stderr))

#define EXIT_USAGE 2
#define EXIT_REFUSED 3

#endif
