/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trust.h -- whether on-demand paging on this device moves the right bytes.
 *
 * A finding holds for transfers that are cut into packets of the port's active
 * MTU, which is what it is kept under: a connection with a smaller path MTU
 * may fare worse. Atomics are tested where the device claims them, and counted
 * apart from the trust. It says nothing about sends and implicit regions.
 * What the caller takes for granted (device->assumed) is a finding too.
 */
#ifndef PINREG_PLAN_TRUST_H
#define PINREG_PLAN_TRUST_H

#include "plan/device.h"

/*
 * The finding for anonymous memory at the port's MTU of now, from the
 * process-wide cache or by a test; callers that want the same one wait for one
 * test. 0, or the -errno that prevented it and is not kept: -ENETDOWN, -EAGAIN
 * where the MTU changed meanwhile, -EREMOTEIO, -ETIMEDOUT or -EIO where data
 * does not arrive in pinned memory either, or that of registering.
 * A device without ODP for RC READ and WRITE is NONE without a test.
 */
int pinreg_trust_of_device(struct pinreg_device *device, struct pinreg_trust_report *out);

/* The finding so far, without a test: UNTESTED where there was none. */
enum pinreg_trust pinreg_trust_known(struct pinreg_device *device);

/*
 * The finding for files of one filesystem, st_dev. memory, length: a shared
 * mapping of a scratch file there, at least PINREG_TRUST_ROOM bytes, page
 * aligned, written to by the test. Cached per device, port, MTU and st_dev.
 * As above, and -EINVAL where the memory is too short or st_dev is 0.
 */
#define PINREG_TRUST_ROOM (256u << 10)
int pinreg_trust_of_memory(struct pinreg_device *device, uint64_t st_dev, void *memory,
			   uint64_t length, struct pinreg_trust_report *out);

/*
 * The finding for files of st_dev so far, UNTESTED where there was none. out
 * (may be NULL) gets the report where there is one.
 */
enum pinreg_trust pinreg_trust_known_of(struct pinreg_device *device, uint64_t st_dev,
					struct pinreg_trust_report *out);

#endif
