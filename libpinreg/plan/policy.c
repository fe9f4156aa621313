/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy.c -- which method for which memory. The table of what kernels accept
 * is in docs/kernel-facts.md, "Which method works on which memory".
 */
#include "plan/policy.h"

#include <errno.h>

#include "base/why.h"
#include "plan/possible.h"
#include "plan/trust_atomic.h"

static bool pinnable(const struct pinreg_policy_input *input, const struct pinreg_run *run)
{
	if (input->read_only_fails && run->flags & PINREG_RUN_SHARED &&
	    !(run->prot & PINREG_PROT_WRITE))
		return false;
	switch (run->kind) {
	case PINREG_KIND_ANON:
	case PINREG_KIND_SHMEM:
	case PINREG_KIND_HUGETLB:
	case PINREG_KIND_DEVDAX:
		return true;
	case PINREG_KIND_PRIVATE_FILE: /* the pin makes private copies, but not of DAX */
		return !(run->flags & PINREG_RUN_PRIVATE_DAX);
	case PINREG_KIND_PAGECACHE:
		return !pinreg_policy_stores(input);
	default:
		return false;
	}
}

/* The first run that the kernel will not pin, or NULL. */
static const struct pinreg_run *first_unpinnable(const struct pinreg_policy_input *input)
{
	for (size_t i = 0; i < input->count; i++)
		if (!pinnable(input, &input->runs[i]))
			return &input->runs[i];
	return NULL;
}

static uint64_t whole_pages(const struct pinreg_policy_input *input)
{
	uint64_t page = input->page_size;
	uint64_t first = input->addr / page;
	uint64_t last = (input->addr + input->length - 1) / page;
	return (last - first + 1) * page;
}

static bool exceeds(const struct pinreg_memlock *lock, uint64_t wanted)
{
	return lock->limit != UINT64_MAX &&
	       (lock->used > lock->limit || wanted > lock->limit - lock->used);
}

/* May so much more be pinned? If not, *out says why. */
static bool may_pin(const struct pinreg_policy_input *input, struct pinreg_plan *out)
{
	uint64_t wanted = whole_pages(input);
	const struct pinreg_memlock *lock = &input->memlock;
	if (exceeds(lock, wanted)) {
		/* the kernel's own answer to a limit of 0 is EPERM */
		pinreg_refuse(out, PINREG_REASON_MEMLOCK, lock->limit ? -ENOMEM : -EPERM);
	} else if (exceeds(&input->budget, wanted)) {
		lock = &input->budget;
		pinreg_refuse(out, PINREG_REASON_BUDGET, -ENOMEM);
	} else {
		return true;
	}
	out->why.limit = lock->limit;
	out->why.used = lock->used;
	out->why.wanted = wanted;
	return false;
}

/* Of a region whose pages are pinned: another iova needs the device's proof. */
static bool iova_possible(const struct pinreg_policy_input *input, struct pinreg_plan *out)
{
	if (!input->iova || input->iova == input->addr || input->iova_works)
		return true;
	pinreg_refuse(out, PINREG_REASON_IOVA, -EOPNOTSUPP);
	out->why.addr = input->iova;
	out->why.length = input->length;
	return false;
}

static void decide_pin(const struct pinreg_policy_input *input, struct pinreg_plan *out)
{
	if (!may_pin(input, out) || !iova_possible(input, out))
		return;
	bool cache = pinreg_policy_has(input, PINREG_KIND_PAGECACHE);
	out->method = PINREG_METHOD_PIN;
	out->pin_bytes = whole_pages(input);
	out->iova = input->iova ? input->iova : input->addr;
	pinreg_why_set(&out->why, cache ? PINREG_REASON_PIN_READ_ONLY : PINREG_REASON_PIN_MEMORY,
		       0);
	out->why.kind = cache ? PINREG_KIND_PAGECACHE : input->runs[0].kind;
	out->why.wanted = out->pin_bytes;
}

/* ODP operations that the access asks of the device. */
static unsigned int odp_needed(const struct pinreg_policy_input *input)
{
	unsigned int need = 0;
	if (input->access & IBV_ACCESS_REMOTE_READ)
		need |= IBV_ODP_SUPPORT_READ;
	if (input->access & IBV_ACCESS_REMOTE_WRITE)
		need |= IBV_ODP_SUPPORT_WRITE;
	if (input->access & IBV_ACCESS_REMOTE_ATOMIC)
		need |= IBV_ODP_SUPPORT_ATOMIC;
	return need;
}

/* May ODP do what is asked? If not, *out says why. run: the one it is needed for. */
static bool odp_possible(const struct pinreg_policy_input *input, const struct pinreg_run *run,
			 struct pinreg_plan *out)
{
	unsigned int need = odp_needed(input);
	enum pinreg_trust trust = input->trust.trust;
	bool atomics = input->access & IBV_ACCESS_REMOTE_ATOMIC;
	bool bytes = input->granularity == PINREG_GRANULARITY_BYTE;
	enum pinreg_reason reason = PINREG_REASON_NONE;

	if (!(input->odp & IBV_ODP_SUPPORT) || (input->odp_rc & need) != need)
		reason = PINREG_REASON_ODP_MISSING;
	else if (input->iova && input->iova != input->addr)
		reason = PINREG_REASON_IOVA; /* registers on rxe, and then nothing arrives */
	else if (trust == PINREG_TRUST_UNTESTED)
		reason = PINREG_REASON_ODP_UNTESTED;
	else if (trust == PINREG_TRUST_NONE)
		reason = PINREG_REASON_ODP_UNTRUSTED;
	else if (trust == PINREG_TRUST_PAGE && bytes)
		reason = PINREG_REASON_ODP_GRANULARITY;
	else if (atomics && !pinreg_trust_has_atomics(&input->trust))
		reason = PINREG_REASON_ODP_ATOMICS;
	if (reason != PINREG_REASON_NONE)
		pinreg_refuse_run(out, run, reason, -EOPNOTSUPP);
	out->odp_trust = trust;
	out->why.mtu = input->trust.mtu;
	out->why.wrong = reason == PINREG_REASON_ODP_ATOMICS
				 ? input->trust.atomics_wrong
				 : (unsigned int)input->trust.bytes_wrong;
	out->why.assumed = !input->trust.cases;
	return reason == PINREG_REASON_NONE;
}

static void choose_odp(const struct pinreg_policy_input *input, const struct pinreg_run *run,
		       enum pinreg_reason reason, struct pinreg_plan *out)
{
	out->method = PINREG_METHOD_ODP;
	out->access |= IBV_ACCESS_ON_DEMAND;
	out->iova = input->addr;
	pinreg_why_set(&out->why, reason, 0);
	out->why.kind = run->kind;
	out->why.mtu = input->trust.mtu;
	out->why.wrong = (unsigned int)input->trust.bytes_wrong;
	out->why.assumed = !input->trust.cases;
}

/* A shadow is pinned instead of the range. run: why it is needed. */
static void decide_staged(const struct pinreg_policy_input *input, const struct pinreg_run *run,
			  enum pinreg_reason reason, struct pinreg_plan *out)
{
	if (input->access & PINREG_ACCESS_FLUSH_PERSISTENT) {
		pinreg_refuse_run(out, run, PINREG_REASON_FLUSH_NOT_PMEM, -EINVAL);
		return;
	}
	if (!may_pin(input, out) || !iova_possible(input, out))
		return;
	struct pinreg_why before = out->why;
	out->method = PINREG_METHOD_STAGED;
	out->pin_bytes = whole_pages(input);
	out->iova = input->iova;
	pinreg_why_set(&out->why, reason, 0);
	out->why.kind = run->kind;
	out->why.wanted = out->pin_bytes;
	out->why.mtu = before.mtu;
	out->why.wrong = before.wrong;
	out->why.assumed = before.assumed;
}

/* For a run that cannot be pinned: ODP, or else a shadow. */
static void decide_unpinnable(const struct pinreg_policy_input *input, const struct pinreg_run *run,
			      struct pinreg_plan *out)
{
	if (odp_possible(input, run, out)) {
		bool dax = run->kind == PINREG_KIND_FSDAX || run->flags & PINREG_RUN_PRIVATE_DAX;
		choose_odp(input, run, dax ? PINREG_REASON_ODP_FSDAX : PINREG_REASON_ODP_PAGECACHE,
			   out);
		return;
	}
	/* untested: the planner tests and asks again */
	if (out->why.reason == PINREG_REASON_ODP_UNTESTED || input->no_staging)
		return;
	if (out->why.reason == PINREG_REASON_ODP_GRANULARITY)
		decide_staged(input, run, PINREG_REASON_STAGED_GRANULARITY, out);
	else if (out->why.reason == PINREG_REASON_ODP_UNTRUSTED)
		decide_staged(input, run, PINREG_REASON_STAGED_UNTRUSTED, out);
	else if (out->why.reason == PINREG_REASON_ODP_ATOMICS)
		decide_staged(input, run, PINREG_REASON_STAGED_ATOMICS, out);
	else
		decide_staged(input, run, PINREG_REASON_STAGED_NO_ODP, out);
}

/* Pinning is possible, unless a limit is in the way: then ODP, where it is good. */
static void decide_pinnable(const struct pinreg_policy_input *input, struct pinreg_plan *out)
{
	decide_pin(input, out);
	if (out->why.reason != PINREG_REASON_MEMLOCK && out->why.reason != PINREG_REASON_BUDGET)
		return;
	struct pinreg_plan limit = *out;
	if (odp_possible(input, &input->runs[0], out)) {
		choose_odp(input, &input->runs[0], PINREG_REASON_ODP_LIMIT, out);
		out->why.used = limit.why.used;
		out->why.limit = limit.why.limit;
		out->why.wanted = limit.why.wanted;
	} else if (out->why.reason != PINREG_REASON_ODP_UNTESTED) {
		*out = limit;
	}
}

static void decide_method(const struct pinreg_policy_input *input, struct pinreg_plan *out)
{
	const struct pinreg_run *culprit = first_unpinnable(input);
	const struct pinreg_run *run = culprit ? culprit : &input->runs[0];
	switch (input->method) {
	case PINREG_METHOD_DMABUF: /* has an entry point of its own */
		pinreg_refuse(out, PINREG_REASON_METHOD_UNAVAILABLE, -EOPNOTSUPP);
		out->why.wanted = input->method;
		break;
	case PINREG_METHOD_STAGED:
		decide_staged(input, run, PINREG_REASON_STAGED_REQUESTED, out);
		break;
	case PINREG_METHOD_ODP:
		if (odp_possible(input, run, out))
			choose_odp(input, run, PINREG_REASON_ODP_REQUESTED, out);
		break;
	case PINREG_METHOD_PIN:
		if (culprit)
			pinreg_refuse_run(out, culprit, PINREG_REASON_PIN_IMPOSSIBLE, -EOPNOTSUPP);
		else
			decide_pin(input, out);
		break;
	default:
		if (culprit)
			decide_unpinnable(input, culprit, out);
		else
			decide_pinnable(input, out);
	}
}

static unsigned int warnings(const struct pinreg_policy_input *input,
			     const struct pinreg_plan *plan)
{
	const struct pinreg_run *last = &input->runs[input->count - 1];
	unsigned int bits = 0;
	if (pinreg_policy_has(input, PINREG_KIND_PRIVATE_FILE))
		bits |= PINREG_WARN_PRIVATE_COPIES;
	if (pinreg_policy_boundary(input))
		bits |= PINREG_WARN_MIXED_KINDS;
	if (plan->method == PINREG_METHOD_ODP)
		bits |= PINREG_WARN_PATH_MTU;
	if (plan->method == PINREG_METHOD_ODP && plan->odp_trust == PINREG_TRUST_PAGE)
		bits |= PINREG_WARN_WHOLE_PAGES;
	if (plan->method == PINREG_METHOD_STAGED)
		bits |= PINREG_WARN_MUST_COMMIT;
	if (plan->method == PINREG_METHOD_PIN && last->page_size > input->page_size &&
	    (last->addr + last->length) % last->page_size)
		bits |= PINREG_WARN_HUGE_END;
	return bits;
}

void pinreg_policy_decide(const struct pinreg_policy_input *input, struct pinreg_plan *out)
{
	size_t size = out->size;
	*out = (struct pinreg_plan){
		.size = size,
		.access = input->access,
		.addr = input->addr,
		.length = input->length,
		.granularity = input->granularity,
	};
	if (!pinreg_policy_possible(input, out))
		return;
	decide_method(input, out);
	if (out->method != PINREG_METHOD_REFUSE)
		out->warnings = warnings(input, out);
}
