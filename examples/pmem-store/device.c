/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device.c -- one RDMA device: its protection domain and the library's domain.
 */
#include "device.h"

#include <errno.h>

#include <rdma/rdma_cma.h>

#include "say.h"

struct ibv_context *device_first(void)
{
	struct ibv_context **list = rdma_get_devices(NULL);
	struct ibv_context *first = list ? list[0] : NULL;

	if (list)
		rdma_free_devices(list); /* the contexts live on */
	return first;
}

static void to_stderr(void *context, enum pinreg_log_level level, const char *line)
{
	(void)context;
	if (level <= PINREG_LOG_WARNING)
		fprintf(stderr, "pinreg: %s\n", line);
}

int device_open(struct device *device, struct ibv_context *verbs, unsigned int quiesce_ms)
{
	struct pinreg_domain_opts opts = { .size = sizeof(opts),
					   .quiesce_ms = quiesce_ms,
					   .log = to_stderr };
	int ret;

	*device = (struct device){ .verbs = verbs, .pd = ibv_alloc_pd(verbs) };
	if (!device->pd)
		return -errno;
	ret = pinreg_domain_open(device->pd, &opts, &device->domain);
	if (ret)
		device_close(device);
	return ret;
}

void device_close(struct device *device)
{
	if (device->domain)
		pinreg_domain_close(device->domain);
	if (device->pd)
		ibv_dealloc_pd(device->pd);
	*device = (struct device){ 0 };
}
