/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guest_device.c -- the guest's RDMA device, and the network device under it.
 */
#include "support/guest_device.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/test.h"

/* The largest packets of 1024 bytes with their headers fit, those of 2048 do not. */
#define MTU_LOWERED 1500

struct pinreg_device guest_device;

static char netdev[IFNAMSIZ];
static int netdev_mtu; /* before it was lowered; 0: it was not */
static bool netdev_down;
static int port_mtu; /* of the port as it was found */

void guest_device_open(void)
{
	struct ibv_device **list = ibv_get_device_list(NULL);

	/* a kernel without RDMA gives no list at all */
	if (!list || !list[0])
		test_skip("there is no RDMA device");
	struct ibv_context *context = ibv_open_device(list[0]);
	assert_non_null(context);
	ibv_free_device_list(list);
	guest_device = (struct pinreg_device){
		.sys = &pinreg_sys_real,
		.pd = ibv_alloc_pd(context),
		.port = 1,
	};
	assert_non_null(guest_device.pd);
	test_ok(pinreg_device_init(&guest_device));
}

bool guest_device_has_odp(void)
{
	return guest_device.odp & IBV_ODP_SUPPORT;
}

/* The one under the first GID. It is looked for while the port is still up. */
static void netdev_find(void)
{
	char path[256];

	snprintf(path, sizeof(path), "/sys/class/infiniband/%s/ports/1/gid_attrs/ndevs/0",
		 guest_device.pd->context->device->name);
	FILE *file = fopen(path, "re");
	if (!file)
		test_skip("%s is not there", path);
	assert_int_equal(fscanf(file, "%15s", netdev), 1);
	fclose(file);
	port_mtu = pinreg_device_mtu(&guest_device);
}

/* 0, or the errno. */
static int netdev_control(unsigned long request, struct ifreq *change)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	test_ok(fd);
	memcpy(change->ifr_name, netdev, sizeof(netdev));
	int error = ioctl(fd, request, change) ? errno : 0;
	close(fd);
	return error;
}

static void netdev_change(unsigned long request, struct ifreq *change)
{
	int error = netdev_control(request, change);

	if (error == EPERM)
		test_skip("changing %s is not allowed", netdev);
	test_ok(-error);
}

/* Until the port says what it is expected to say. */
static void port_wait(int expected)
{
	for (int i = 0; i < 500 && pinreg_device_mtu(&guest_device) != expected; i++)
		usleep(10000);
	assert_int_equal(pinreg_device_mtu(&guest_device), expected);
}

void guest_device_lower_mtu(void)
{
	struct ifreq now = { 0 };

	netdev_find();
	netdev_change(SIOCGIFMTU, &now);
	netdev_change(SIOCSIFMTU, &(struct ifreq){ .ifr_mtu = MTU_LOWERED });
	netdev_mtu = now.ifr_mtu;
	port_wait(1024);
}

void guest_device_take_down(void)
{
	struct ifreq change = { 0 };

	netdev_find();
	netdev_change(SIOCGIFFLAGS, &change);
	change.ifr_flags = (short)(change.ifr_flags & ~IFF_UP);
	netdev_change(SIOCSIFFLAGS, &change);
	netdev_down = true;
	port_wait(-ENETDOWN);
}

int guest_device_restore(void **state)
{
	struct ifreq change = { 0 };

	(void)state;
	if (netdev_mtu)
		test_ok(-netdev_control(SIOCSIFMTU, &(struct ifreq){ .ifr_mtu = netdev_mtu }));
	if (netdev_down) {
		test_ok(-netdev_control(SIOCGIFFLAGS, &change));
		change.ifr_flags = (short)(change.ifr_flags | IFF_UP);
		test_ok(-netdev_control(SIOCSIFFLAGS, &change));
	}
	if (netdev_mtu || netdev_down)
		port_wait(port_mtu);
	netdev_mtu = 0;
	netdev_down = false;
	return 0;
}
