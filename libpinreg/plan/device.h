/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device.h -- the device as the lower layers see it: protection domain,
 * capabilities, trust. One in each domain; it outlives every region and file.
 */
#ifndef PINREG_PLAN_DEVICE_H
#define PINREG_PLAN_DEVICE_H

#include <pthread.h>
#include <stdint.h>

#include <pinreg/domain.h>
#include <pinreg/plan.h>

#include "base/log.h"
#include "sys/sys.h"

struct pinreg_device {
	const struct pinreg_sys *sys;
	struct pinreg_log log;
	struct ibv_pd *pd;
	unsigned int port;
	enum pinreg_trust assumed; /* not UNTESTED: the caller's word for ODP */
	/* capabilities, constant after pinreg_device_init() */
	unsigned int odp;
	unsigned int odp_rc;
	unsigned int odp_ud;
	unsigned int flush_global;
	unsigned int flush_persistent;
	unsigned int memory_windows;
	uint64_t max_mr_size;
	uint64_t max_mr;
	uint64_t node_guid; /* network byte order */
};

/* Ask the device. 0, -EINVAL (no such port), or the -errno of asking. */
int pinreg_device_init(struct pinreg_device *device);

/* Bytes of an enum ibv_mtu. */
unsigned int pinreg_mtu_bytes(enum ibv_mtu mtu);

/* The port's active MTU in bytes, or -errno; -ENETDOWN where it is not active. */
int pinreg_device_mtu(struct pinreg_device *device);

#endif
