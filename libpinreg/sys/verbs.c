/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verbs.c -- the verbs that registration needs, with one error convention.
 */
#include <errno.h>

#include "sys/real.h"

int pinreg_real_device_query(struct ibv_context *context, struct ibv_device_attr_ex *out)
{
	return -ibv_query_device_ex(context, NULL, out);
}

int pinreg_real_port_query(struct ibv_context *context, unsigned int port,
			   struct ibv_port_attr *out)
{
	if (port > UINT8_MAX)
		return -EINVAL;
	return -ibv_query_port(context, (uint8_t)port, out);
}

int pinreg_real_mr_register(struct ibv_pd *pd, void *addr, size_t length, unsigned int access,
			    struct ibv_mr **out)
{
	/* ibv_reg_mr reports through errno only, and not every provider sets it */
	errno = 0;
	struct ibv_mr *mr = ibv_reg_mr(pd, addr, length, access);
	if (!mr)
		return errno ? -errno : -EIO;
	*out = mr;
	return 0;
}

int pinreg_real_mr_deregister(struct ibv_mr *mr)
{
	/* positive errno by the manual, -1 with errno from some providers */
	int status = ibv_dereg_mr(mr);
	if (status < 0)
		return errno ? -errno : -EIO;
	return -status;
}
