/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * planner.h -- gathering what the policy needs, and asking it.
 */
#ifndef PINREG_PLAN_PLANNER_H
#define PINREG_PLAN_PLANNER_H

#include "plan/device.h"

/*
 * As pinreg_plan(). Options are the caller's (any size, or NULL); st_dev is
 * that of the prepared file the range belongs to, 0 for other memory: it
 * selects which data test counts.
 */
int pinreg_planner_plan(struct pinreg_device *device, uint64_t st_dev, const void *addr,
			uint64_t length, const struct pinreg_region_opts *opts,
			struct pinreg_plan *out);

#endif
