/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * windows.c -- a plan whose peers come through memory windows.
 */
#include <errno.h>

#include "base/why.h"
#include "plan/policy.h"

#define TYPE_2 (2u | 4u)
#define REMOTE (IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC)

static unsigned int refuse(struct pinreg_plan *plan, enum pinreg_reason reason)
{
	enum pinreg_method method = plan->method;
	plan->method = PINREG_METHOD_REFUSE;
	plan->pin_bytes = 0;
	pinreg_why_set(&plan->why, reason, -EOPNOTSUPP);
	plan->why.wanted = method;
	return 0;
}

/*
 * The registration outlives a fence. Paging follows the addresses, where nobody's
 * memory is then, and a shadow is ours; pinned pages of a file would stay another's.
 */
unsigned int pinreg_policy_windows(unsigned int memory_windows, struct pinreg_plan *plan)
{
	unsigned int rights = plan->access & REMOTE;
	if (plan->method == PINREG_METHOD_REFUSE)
		return 0;
	if (!(memory_windows & TYPE_2))
		return refuse(plan, PINREG_REASON_WINDOWS_MISSING);
	if (plan->method != PINREG_METHOD_ODP && plan->method != PINREG_METHOD_STAGED)
		return refuse(plan, PINREG_REASON_WINDOWS_METHOD);
	plan->access = (plan->access & ~(unsigned int)REMOTE) | IBV_ACCESS_MW_BIND;
	return rights;
}
