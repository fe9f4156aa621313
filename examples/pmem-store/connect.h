/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * connect.h -- the client's connection: made, used for calls and transfers, lost.
 *
 * Return values are 0 or -errno; after an error the connection is of no use.
 */
#ifndef PMEM_STORE_CONNECT_H
#define PMEM_STORE_CONNECT_H

#include "client.h"

/* With 0, client->hello.status tells whether the server takes us. */
int connect_now(struct client *client);
void connect_drop(struct client *client);
void connect_free_window(struct client *client);

/* Send a request and wait for its answer. */
int connect_call(struct client *client, struct message *request, struct message *answer);

/* Move whole pages, of which length bytes are data; the rest is written as zeros. */
int connect_transfer(struct client *client, bool write, const struct wire_range *range, void *data,
		     uint64_t length);

#endif
