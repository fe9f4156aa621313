/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guest_device.h -- the guest's RDMA device, and the network device under it.
 */
#ifndef PINREG_TESTS_SUPPORT_GUEST_DEVICE_H
#define PINREG_TESTS_SUPPORT_GUEST_DEVICE_H

#include "plan/device.h"

#define GUEST_ACCESS (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)

/* The one in use; there is one in a process. */
extern struct pinreg_device guest_device;

/* Open it with the real system table, or skip the case where there is none. */
void guest_device_open(void);

bool guest_device_has_odp(void);

/*
 * Change the network device and wait until the port follows, or skip the case
 * where that is not allowed. The case has guest_device_restore for a teardown.
 */
void guest_device_lower_mtu(void); /* the port's becomes 1024 */
void guest_device_take_down(void);

/* Undo both. */
int guest_device_restore(void **state);

#endif
