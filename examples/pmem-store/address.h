/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * address.h -- from text to an address the connection manager takes.
 */
#ifndef PMEM_STORE_ADDRESS_H
#define PMEM_STORE_ADDRESS_H

#include <stdint.h>

#include <rdma/rdma_cma.h>

/* addr NULL: every address. 0 or -errno (-EINVAL: no numeric address). */
int address_bind(struct rdma_cm_id *id, const char *addr, uint16_t port);
/* Begin to resolve it; the answer is an event of the id's channel. */
int address_resolve(struct rdma_cm_id *id, const char *addr, uint16_t port, int timeout_ms);

#endif
