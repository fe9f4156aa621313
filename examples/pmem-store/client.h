/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * client.h -- operations on a server, each done again until it is done.
 *
 * A file of the server may be away at any time: then the server says BUSY, or work
 * requests fail and the client connects again. New keys come by themselves when the file
 * is back: the client waits for them and redoes the operation, until its patience ends.
 */
#ifndef PMEM_STORE_CLIENT_H
#define PMEM_STORE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device.h"
#include "link.h"
#include "remotes.h"
#include "wire.h"

struct client {
	const char *addr;
	uint16_t port;
	unsigned int patience_ms;

	struct device device;
	struct rdma_event_channel *channel;
	struct rdma_cm_id *id;
	struct link link;
	bool linked;
	bool connected;
	uint32_t last_id;
	struct message hello; /* the server's answer to the last one */
	struct remotes remotes;

	uint8_t *window; /* pinned; the data passes through it */
	struct pinreg_region *region;
	uint32_t lkey;
};

void client_init(struct client *client, const char *addr, uint16_t port, unsigned int patience_s);
void client_close(struct client *client);

/* Each prints why it failed. True: done. */
bool client_put(struct client *client, const char *name, const void *data, uint64_t length);
/* The caller frees *data. */
bool client_get(struct client *client, const char *name, void **data, uint64_t *length);
bool client_remove(struct client *client, const char *name);
/* The caller frees *entries; sorted by name. */
bool client_list(struct client *client, struct entry **entries, size_t *count);

#endif
