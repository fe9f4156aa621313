/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * planner.c -- gathering what the policy needs, and asking it.
 */
#include "plan/planner.h"

#include <errno.h>
#include <unistd.h>

#include "base/opts.h"
#include "base/why.h"
#include "plan/backing.h"
#include "plan/policy.h"
#include "plan/trust.h"

/*
 * The trust that counts here: of the device, and where the memory is a
 * prepared file's also of its filesystem, whichever is less.
 */
static int gather_trust(struct pinreg_device *device, uint64_t st_dev,
			struct pinreg_trust_report *out)
{
	int status = pinreg_trust_of_device(device, out);
	if (status || !st_dev)
		return status;
	struct pinreg_trust_report there = { 0 };
	pinreg_trust_known_of(device, st_dev, &there);
	if (there.trust != PINREG_TRUST_UNTESTED && there.trust < out->trust)
		*out = there;
	return 0;
}

static void refuse_untested(struct pinreg_plan *out, int status)
{
	out->method = PINREG_METHOD_REFUSE;
	out->why.reason = PINREG_REASON_ODP_UNTESTED;
	out->why.error = -EOPNOTSUPP;
	out->why.os_error = -status;
}

int pinreg_planner_plan(struct pinreg_device *device, uint64_t st_dev, const void *addr,
			uint64_t length, const struct pinreg_region_opts *opts,
			struct pinreg_plan *out)
{
	struct pinreg_policy_input input = {
		.addr = (uintptr_t)addr,
		.length = length,
		.page_size = (unsigned int)sysconf(_SC_PAGESIZE),
		.odp = device->odp,
		.odp_rc = device->odp_rc,
		.max_mr_size = device->max_mr_size,
	};
	struct pinreg_region_opts known;
	struct pinreg_plan plan = { .size = sizeof(plan), .method = PINREG_METHOD_REFUSE };

	int status = pinreg_opts_read(opts, &known, sizeof(known));
	if (status) {
		pinreg_why_set(&plan.why, PINREG_REASON_BAD_OPTION, status);
	} else {
		status = pinreg_policy_options(&known, &input, &plan.why);
		if (!status)
			status = pinreg_policy_range(input.addr, length, &plan.why);
	}
	if (status) {
		*out = plan;
		return 0;
	}

	struct pinreg_backing backing = { 0 };
	status = device->sys->memlock(&input.memlock);
	if (!status)
		status = pinreg_backing_look(device->sys, input.addr, length, &backing);
	if (status)
		return status;
	input.runs = backing.runs;
	input.count = backing.count;
	pinreg_policy_decide(&input, &plan);
	if (plan.why.reason == PINREG_REASON_ODP_UNTESTED) {
		status = gather_trust(device, st_dev, &input.trust);
		if (status)
			refuse_untested(&plan, status);
		else
			pinreg_policy_decide(&input, &plan);
	}
	pinreg_backing_clear(&backing);
	*out = plan;
	return 0;
}
