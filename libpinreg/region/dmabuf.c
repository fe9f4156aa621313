/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dmabuf.c -- registering device memory by its dma-buf.
 */
#include <errno.h>

#include "base/opts.h"
#include "base/why.h"
#include "plan/policy.h"
#include "region/region.h"

/* A dma-buf has no address in this process: the plan is made without looking. */
static int plan_dmabuf(struct pinreg_device *device, uint64_t offset, uint64_t length,
		       const struct pinreg_region_opts *opts, struct pinreg_decision *out)
{
	struct pinreg_policy_input input = { 0 };
	struct pinreg_plan *plan = &out->plan;
	*plan = (struct pinreg_plan){ .size = sizeof(*plan), .method = PINREG_METHOD_REFUSE };
	if (pinreg_opts_read(opts, &out->opts, sizeof(out->opts)))
		return pinreg_why_set(&plan->why, PINREG_REASON_BAD_OPTION, -EINVAL);
	int status = pinreg_policy_options(&out->opts, &input, &plan->why);
	if (status)
		return status;
	if (out->opts.windows)
		return pinreg_why_set(&plan->why, PINREG_REASON_BAD_OPTION, -EINVAL);
	if (input.method != PINREG_METHOD_AUTO && input.method != PINREG_METHOD_DMABUF)
		return pinreg_why_set(&plan->why, PINREG_REASON_BAD_OPTION, -EINVAL);
	if (!length || length > UINT64_MAX - offset) {
		pinreg_why_set(&plan->why, PINREG_REASON_BAD_RANGE, -EINVAL);
		plan->why.addr = offset;
		plan->why.length = length;
		return -EINVAL;
	}
	if (length > device->max_mr_size) {
		pinreg_why_set(&plan->why, PINREG_REASON_TOO_LONG, -E2BIG);
		plan->why.wanted = length;
		plan->why.limit = device->max_mr_size;
		return -E2BIG;
	}
	uint64_t page = device->sys->page_size();
	if (input.granularity == PINREG_GRANULARITY_PAGE &&
	    (offset % page || length % page || input.iova % page)) {
		pinreg_why_set(&plan->why, PINREG_REASON_UNALIGNED, -EINVAL);
		plan->why.addr = offset;
		plan->why.length = length;
		plan->why.limit = page;
		return -EINVAL;
	}
	plan->method = PINREG_METHOD_DMABUF;
	plan->access = input.access;
	plan->addr = offset;
	plan->length = length;
	plan->granularity = input.granularity;
	plan->iova = input.iova ? input.iova : offset;
	return pinreg_why_set(&plan->why, PINREG_REASON_DMABUF_MEMORY, 0);
}

int pinreg_region_plan_dmabuf(struct pinreg_whole_region *region, int fd, uint64_t offset,
			      uint64_t length, const struct pinreg_region_opts *opts)
{
	int status = plan_dmabuf(region->own.device, offset, length, opts, &region->own.decision);
	if (status)
		return status;
	/* our own: it is needed again after a fence */
	int own = region->own.device->sys->descriptor_copy(fd);
	if (own < 0) {
		region->own.decision.plan.method = PINREG_METHOD_REFUSE;
		return pinreg_why_call(&region->own.decision.plan.why, PINREG_REASON_VERBS, "dup",
				       own);
	}
	region->dmabuf = own;
	return 0;
}
