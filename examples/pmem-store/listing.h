/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listing.h -- read the server's index by RDMA, without asking the server.
 */
#ifndef PMEM_STORE_LISTING_H
#define PMEM_STORE_LISTING_H

#include "client.h"

/*
 * The client is connected. Return: 0; -errno of the connection; 1 when the
 * index kept changing or was found damaged, and should be read again.
 * The caller frees *entries; sorted by name, one of each name.
 */
int listing_read(struct client *client, struct entry **entries, size_t *count);

#endif
