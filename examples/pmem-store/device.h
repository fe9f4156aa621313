/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device.h -- one RDMA device: its protection domain and the library's domain.
 */
#ifndef PMEM_STORE_DEVICE_H
#define PMEM_STORE_DEVICE_H

#include <pinreg/pinreg.h>

struct device {
	struct ibv_context *verbs; /* belongs to librdmacm */
	struct ibv_pd *pd;
	struct pinreg_domain *domain;
};

/* The first device librdmacm knows, or NULL. */
struct ibv_context *device_first(void);

/* quiesce_ms: how long a break may be kept waiting; 0: the default. 0 or -errno. */
int device_open(struct device *device, struct ibv_context *verbs, unsigned int quiesce_ms);
void device_close(struct device *device);

#endif
