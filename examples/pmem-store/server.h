/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server.h -- serve files until a signal ends it.
 */
#ifndef PMEM_STORE_SERVER_H
#define PMEM_STORE_SERVER_H

#include "options.h"

/* Return: the exit status. */
int server_run(const struct serve_options *options);

#endif
