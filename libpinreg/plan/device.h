/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device.h -- the device as the lower layers see it: protection domain,
 * capabilities, trust. One in each domain; it outlives every region and file.
 */
#ifndef PINREG_PLAN_DEVICE_H
#define PINREG_PLAN_DEVICE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include <pinreg/domain.h>
#include <pinreg/plan.h>

#include "base/log.h"
#include "sys/fork.h"
#include "sys/sys.h"

struct pinreg_device {
	const struct pinreg_sys *sys;
	struct pinreg_log log;
	unsigned int epoch; /* of sys/fork.h, when it was made */
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
	unsigned int cpus;  /* of the machine */
	bool atomics;	    /* REMOTE_ATOMIC has operations behind it */
	uint64_t huge_size; /* of transparent huge pages, 0: none; as set when asked */
	bool huge_ask;	    /* only where advised */
	uint64_t max_mr_size;
	uint64_t max_mr;
	uint64_t pin_budget;	  /* UINT64_MAX: none */
	_Atomic(uint64_t) pinned; /* by regions of the domain, bytes */
	_Atomic(int) read_only;	  /* enum pinreg_proof: shared memory that may only be read */
	_Atomic(int) iova;	  /* enum pinreg_proof: of pinned regions */
	uint64_t node_guid;	  /* network byte order */
};

/* What was found out about a device or kernel by trying. */
enum pinreg_proof {
	PINREG_PROOF_NONE = 0,
	PINREG_PROOF_WORKS,
	PINREG_PROOF_FAILS,
};

/*
 * Count bytes as pinned. 0, or -ENOMEM where the budget does not allow it. The
 * plan looked at the budget too, but another thread may have been faster.
 */
int pinreg_device_pin(struct pinreg_device *device, uint64_t bytes);
void pinreg_device_unpin(struct pinreg_device *device, uint64_t bytes);

/*
 * Can shared memory that may only be read be pinned for reading? Some kernels
 * pin as if for writing. Tried once for a device.
 */
enum pinreg_proof pinreg_device_test_read_only(struct pinreg_device *device);

/* Move data through a pinned region with another iova, once for a device. */
enum pinreg_proof pinreg_device_test_iova(struct pinreg_device *device);

/*
 * Was it made by a parent of this process? Asked first by every public function: then
 * the locks may be taken for ever, and what the kernel would do hits the parent.
 */
static inline bool pinreg_device_inherited(const struct pinreg_device *device)
{
	return device->epoch != pinreg_fork_epoch;
}

/*
 * A verb gave that status: is it because there is no device any more? Then nothing
 * reaches memory through it, whatever is registered.
 */
bool pinreg_device_gone(struct pinreg_device *device, int status);

/* Ask the device. 0, -EINVAL (no such port), or the -errno of asking. */
int pinreg_device_init(struct pinreg_device *device);

/* Bytes of an enum ibv_mtu. */
unsigned int pinreg_mtu_bytes(enum ibv_mtu mtu);

/* The port's active MTU in bytes, or -errno; -ENETDOWN where it is not active. */
int pinreg_device_mtu(struct pinreg_device *device);

#endif
