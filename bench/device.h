/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device.h -- the device that a measurement runs on.
 */
#ifndef PINREG_BENCH_DEVICE_H
#define PINREG_BENCH_DEVICE_H

#include <stdlib.h>
#include <string.h>

#include <infiniband/verbs.h>

/* The one of that name, or the first; NULL where there is none. */
static inline struct ibv_context *bench_open_device(const char *name)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	for (size_t i = 0; list && list[i]; i++)
		if (!name || !strcmp(name, ibv_get_device_name(list[i])))
			return ibv_open_device(list[i]);
	return NULL;
}

#endif
