/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * address.c -- from text to an address the connection manager takes.
 */
#include "address.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>

static int look_up(const char *addr, uint16_t port, int flags, struct addrinfo **found)
{
	struct addrinfo hints = { .ai_flags = flags | AI_NUMERICSERV,
				  .ai_family = addr ? AF_UNSPEC : AF_INET,
				  .ai_socktype = SOCK_STREAM };
	char service[8];

	snprintf(service, sizeof(service), "%u", port);
	return getaddrinfo(addr, service, &hints, found) == 0 ? 0 : -EINVAL;
}

int address_bind(struct rdma_cm_id *id, const char *addr, uint16_t port)
{
	struct addrinfo *found;
	int ret = look_up(addr, port, AI_PASSIVE, &found);

	if (ret)
		return ret;
	if (rdma_bind_addr(id, found->ai_addr) != 0)
		ret = -errno;
	freeaddrinfo(found);
	return ret;
}

int address_resolve(struct rdma_cm_id *id, const char *addr, uint16_t port, int timeout_ms)
{
	struct addrinfo *found;
	int ret = look_up(addr, port, 0, &found);

	if (ret)
		return ret;
	if (rdma_resolve_addr(id, NULL, found->ai_addr, timeout_ms) != 0)
		ret = -errno;
	freeaddrinfo(found);
	return ret;
}
