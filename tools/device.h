/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device.h -- an RDMA device, opened by its name or as the first one.
 */
#ifndef TOOL_DEVICE_H
#define TOOL_DEVICE_H

#include <stdint.h>

#include <pinreg/pinreg.h>

#include "failure.h"

struct device_options {
	const char *name;  /* NULL: the first */
	unsigned int port; /* 0: the first */
	uint64_t budget;   /* pinned bytes; 0: none */
};

struct device {
	struct ibv_context *context;
	struct ibv_pd *pd;
	struct pinreg_domain *domain;
};

/* On failure *out needs no closing. */
enum status device_open(const struct device_options *options, struct device *out,
			struct failure *failure);

void device_close(struct device *device);

#endif
