/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listing.h -- read the server's indexes by RDMA: all there is, without asking for it.
 */
#ifndef PMEM_STORE_LISTING_H
#define PMEM_STORE_LISTING_H

#include "client.h"

/*
 * The client is connected. Return: 0; -errno of the connection; 1 when the
 * index kept changing or was found damaged, and should be read again; 2 when a file is
 * away: *away tells which.
 * The caller frees *entries; sorted by name, one of each name.
 */
int listing_read(struct client *client, struct entry **entries, size_t *count, uint32_t *away);

#endif
