/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * planner.c -- gathering what the policy needs, and asking it.
 */
#include "plan/planner.h"

#include <errno.h>

#include "base/opts.h"
#include "base/why.h"
#include "plan/backing.h"
#include "plan/policy.h"
#include "plan/trust.h"
#include "plan/trust_atomic.h"

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
	struct pinreg_trust_report there = { 0 }, here = *out;
	pinreg_trust_known_of(device, st_dev, &there);
	if (there.trust == PINREG_TRUST_UNTESTED)
		return 0;
	if (there.trust < here.trust)
		*out = there;
	const struct pinreg_trust_report *worse = pinreg_trust_has_atomics(&here) ? &there : &here;
	out->atomics = worse->atomics;
	out->atomics_wrong = worse->atomics_wrong;
	return 0;
}

static void refuse_untested(struct pinreg_plan *out, int status)
{
	out->method = PINREG_METHOD_REFUSE;
	out->why.reason = PINREG_REASON_ODP_UNTESTED;
	out->why.error = -EOPNOTSUPP;
	out->why.os_error = -status;
}

static void gather_runs(const struct pinreg_policy_input *input, struct pinreg_decision *out)
{
	out->anonymous = true;
	out->writable = true;
	for (size_t i = 0; i < input->count; i++) {
		const struct pinreg_run *run = &input->runs[i];
		out->anonymous &= run->kind == PINREG_KIND_ANON;
		out->has_file |=
			run->kind == PINREG_KIND_PAGECACHE || run->kind == PINREG_KIND_FSDAX;
		out->writable &= (run->prot & PINREG_PROT_WRITE) != 0;
	}
}

static bool has_shared_read_only(const struct pinreg_policy_input *input)
{
	for (size_t i = 0; i < input->count; i++)
		if (input->runs[i].flags & PINREG_RUN_SHARED &&
		    input->runs[i].prot == PINREG_PROT_READ)
			return true;
	return false;
}

static void decide(struct pinreg_device *device, uint64_t st_dev, struct pinreg_policy_input *input,
		   struct pinreg_plan *plan)
{
	if (input->iova && input->iova != input->addr)
		input->iova_works = pinreg_device_test_iova(device) == PINREG_PROOF_WORKS;
	if (has_shared_read_only(input))
		input->read_only_fails = pinreg_device_test_read_only(device) == PINREG_PROOF_FAILS;
	pinreg_policy_decide(input, plan);
	if (plan->why.reason != PINREG_REASON_ODP_UNTESTED)
		return;
	int status = gather_trust(device, st_dev, &input->trust);
	if (!status) {
		pinreg_policy_decide(input, plan);
		return;
	}
	/* what could not be tested is not trusted; a shadow needs no trust */
	input->trust.trust = PINREG_TRUST_NONE;
	pinreg_policy_decide(input, plan);
	if (plan->why.reason == PINREG_REASON_ODP_UNTRUSTED)
		refuse_untested(plan, status);
	else if (plan->why.reason == PINREG_REASON_STAGED_UNTRUSTED)
		plan->why.reason = PINREG_REASON_STAGED_NO_ODP;
}

/* Reading the map as text needs memory: is it that which cannot be mapped? */
static bool refuse_map_count(struct pinreg_device *device, struct pinreg_plan *out)
{
	uint64_t used, limit;
	if (device->sys->map_count(&used, &limit) || used < limit)
		return false;
	out->method = PINREG_METHOD_REFUSE;
	pinreg_why_set(&out->why, PINREG_REASON_MAP_COUNT, -ENOMEM);
	out->why.used = used;
	out->why.limit = limit;
	return true;
}

static int look_and_decide(struct pinreg_device *device, uint64_t st_dev,
			   struct pinreg_policy_input *input, struct pinreg_decision *out)
{
	struct pinreg_backing backing = { 0 };
	int status = device->sys->memlock(&input->memlock);
	if (!status)
		status = pinreg_backing_look(device->sys, input->addr, input->length, &backing);
	if (status == -ENOMEM && refuse_map_count(device, &out->plan))
		return 0;
	if (status)
		return status;
	input->runs = backing.runs;
	input->count = backing.count;
	gather_runs(input, out);
	decide(device, st_dev, input, &out->plan);
	if (out->opts.windows)
		out->window_access = pinreg_policy_windows(device->memory_windows, &out->plan);
	pinreg_backing_clear(&backing);
	return 0;
}

int pinreg_planner_plan(struct pinreg_device *device, uint64_t st_dev, const void *addr,
			uint64_t length, const struct pinreg_region_opts *opts,
			struct pinreg_decision *out)
{
	struct pinreg_policy_input input = {
		.addr = (uintptr_t)addr,
		.length = length,
		.page_size = (unsigned int)device->sys->page_size(),
		.odp = device->odp,
		.odp_rc = device->odp_rc,
		.flush_global = device->flush_global,
		.flush_persistent = device->flush_persistent,
		.max_mr_size = device->max_mr_size,
		.budget = { .limit = device->pin_budget, .used = atomic_load(&device->pinned) },
	};
	*out = (struct pinreg_decision){
		.plan = {
			.size = sizeof(out->plan),
			.method = PINREG_METHOD_REFUSE,
			.addr = input.addr,
			.length = length,
		},
	};
	struct pinreg_why *why = &out->plan.why;
	int status = pinreg_opts_read(opts, &out->opts, sizeof(out->opts));
	if (status)
		pinreg_why_set(why, PINREG_REASON_BAD_OPTION, status);
	else
		status = pinreg_policy_options(&out->opts, &input, why);
	if (!status)
		status = pinreg_policy_range(input.addr, length, why);
	return status ? 0 : look_and_decide(device, st_dev, &input, out);
}
