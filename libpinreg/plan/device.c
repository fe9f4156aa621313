/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device.c -- what the device says that it can do.
 */
#include "plan/device.h"

#include <errno.h>

/*
 * Bits of device_cap_flags_ex, numbered by the kernel's ib_user_verbs.h (since
 * 6.2). rdma-core has had no names for them before it had RDMA FLUSH.
 */
#define CAP_FLUSH_GLOBAL (UINT64_C(1) << 38)
#define CAP_FLUSH_PERSISTENT (UINT64_C(1) << 39)

static unsigned int memory_windows(unsigned int flags)
{
	unsigned int types = 0;

	if (flags & IBV_DEVICE_MEM_WINDOW)
		types |= 1;
	if (flags & IBV_DEVICE_MEM_WINDOW_TYPE_2A)
		types |= 2;
	if (flags & IBV_DEVICE_MEM_WINDOW_TYPE_2B)
		types |= 4;
	return types;
}

int pinreg_device_init(struct pinreg_device *device)
{
	struct ibv_device_attr_ex attr = { .comp_mask = 0 };
	device->epoch = pinreg_fork_epoch;
	int status = device->sys->device_query(device->pd->context, &attr);

	if (status)
		return status;
	if (!device->port || device->port > attr.orig_attr.phys_port_cnt)
		return -EINVAL;
	device->odp = (unsigned int)attr.odp_caps.general_caps;
	device->odp_rc = attr.odp_caps.per_transport_caps.rc_odp_caps;
	device->odp_ud = attr.odp_caps.per_transport_caps.ud_odp_caps;
	device->flush_global = (attr.device_cap_flags_ex & CAP_FLUSH_GLOBAL) != 0;
	device->flush_persistent = (attr.device_cap_flags_ex & CAP_FLUSH_PERSISTENT) != 0;
	device->memory_windows = memory_windows(attr.orig_attr.device_cap_flags);
	device->atomics = attr.orig_attr.atomic_cap != IBV_ATOMIC_NONE;
	device->max_mr_size = attr.orig_attr.max_mr_size;
	device->max_mr = (uint64_t)attr.orig_attr.max_mr;
	device->node_guid = attr.orig_attr.node_guid;
	device->cpus = device->sys->cpus_online();
	/* once: reading a setting costs as much as registering 1 MiB */
	device->huge_size = device->sys->huge_size(&device->huge_ask);
	return 0;
}

static bool says_gone(int status)
{
	return status == -EIO || status == -ENODEV;
}

bool pinreg_device_gone(struct pinreg_device *device, int status)
{
	struct ibv_device_attr_ex attr = { .comp_mask = 0 };
	/* one call may fail for another reason; a context without a device fails them all */
	return says_gone(status) &&
	       says_gone(device->sys->device_query(device->pd->context, &attr));
}

unsigned int pinreg_mtu_bytes(enum ibv_mtu mtu)
{
	return mtu >= IBV_MTU_256 && mtu <= IBV_MTU_4096 ? 128u << mtu : 0;
}

int pinreg_device_mtu(struct pinreg_device *device)
{
	struct ibv_port_attr attr;
	int status = device->sys->port_query(device->pd->context, device->port, &attr);

	if (status)
		return status;
	if (attr.state != IBV_PORT_ACTIVE)
		return -ENETDOWN;
	return (int)pinreg_mtu_bytes(attr.active_mtu);
}

int pinreg_device_pin(struct pinreg_device *device, uint64_t bytes)
{
	uint64_t pinned = atomic_load(&device->pinned);
	do {
		if (pinned > device->pin_budget || bytes > device->pin_budget - pinned)
			return -ENOMEM;
	} while (!atomic_compare_exchange_weak(&device->pinned, &pinned, pinned + bytes));
	return 0;
}

void pinreg_device_unpin(struct pinreg_device *device, uint64_t bytes)
{
	atomic_fetch_sub(&device->pinned, bytes);
}
