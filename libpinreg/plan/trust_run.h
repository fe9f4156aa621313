/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trust_run.h -- the data test itself, without any memory of earlier ones.
 */
#ifndef PINREG_PLAN_TRUST_RUN_H
#define PINREG_PLAN_TRUST_RUN_H

#include "plan/device.h"

/*
 * Move data through an on-demand region and compare. memory: the caller's, or
 * NULL for fresh anonymous memory. ASSUMPTIONS: the device claims ODP for RC
 * READ and WRITE; memory is page aligned and PINREG_TRUST_ROOM bytes long.
 * mtu: the port's, for the report.
 * 0 with a finding, or the -errno that kept the test from one: among them
 * -EREMOTEIO, -ETIMEDOUT and -EIO where not even pinned memory can be used.
 */
int pinreg_trust_run(struct pinreg_device *device, void *memory, unsigned int mtu,
		     struct pinreg_trust_report *out);

#endif
