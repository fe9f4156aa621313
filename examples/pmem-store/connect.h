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

uint64_t connect_clock_ms(void); /* of a clock that only goes forwards */

/* Send a request and wait for its answer. */
int connect_call(struct client *client, struct message *request, struct message *answer);

/* A part of a file, to be reached with keys of this generation and no other. */
struct span {
	uint32_t file;
	enum remote_part part;
	uint64_t generation;
	uint64_t offset;
	uint64_t length; /* bytes */
};

/* Move a span, of which length bytes are data; the rest is written as zeros. Return also: 1
 * when the keys were taken back before all was moved; the connection is good. */
int connect_transfer(struct client *client, bool write, const struct span *span, void *data,
		     uint64_t length);

/* Wait until the file has keys of this generation or a later one. Return also: 1 when it had
 * them already; -ETIMEDOUT, and then the connection is good. */
int connect_await(struct client *client, uint32_t file, uint64_t generation,
		  unsigned int timeout_ms);

#endif
