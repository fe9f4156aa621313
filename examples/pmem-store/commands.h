/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * commands.h -- what a user can ask a server for; each returns an exit status.
 */
#ifndef PMEM_STORE_COMMANDS_H
#define PMEM_STORE_COMMANDS_H

#include "client.h"

int command_put(struct client *client, const char *name); /* from stdin */
int command_get(struct client *client, const char *name); /* to stdout */
int command_ls(struct client *client);
int command_rm(struct client *client, const char *name);
/* Several files on one connection: the paths come from stdin, one a line. The
 * name of an object is the path without leading slashes. */
int command_put_files(struct client *client);
/* Every object, into files of these names under a directory. */
int command_get_all(struct client *client, const char *directory);

#endif
