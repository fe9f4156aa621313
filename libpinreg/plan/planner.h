/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * planner.h -- gathering what the policy needs, and asking it.
 */
#ifndef PINREG_PLAN_PLANNER_H
#define PINREG_PLAN_PLANNER_H

#include "plan/device.h"

/* A plan, and what carrying it out needs to know besides. */
struct pinreg_decision {
	struct pinreg_plan plan;
	struct pinreg_region_opts opts; /* the caller's, at this version's length */
	bool anonymous;			/* all of it is anonymous memory */
	bool has_file;			/* a part is shared with a file: durable by msync */
	bool writable;			/* all of it may be written by this process */
	unsigned int window_access;	/* what windows may give; 0: none, it has keys itself */
};

/*
 * As pinreg_plan(). Options are the caller's (any size, or NULL); st_dev is
 * that of the prepared file the range belongs to, 0 for other memory: it
 * selects which data test counts.
 */
int pinreg_planner_plan(struct pinreg_device *device, uint64_t st_dev, const void *addr,
			uint64_t length, const struct pinreg_region_opts *opts,
			struct pinreg_decision *out);

#endif
