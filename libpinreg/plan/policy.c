/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy.c -- which method for which memory. The table of what kernels accept
 * is in docs/kernel-facts.md, "Which method works on which memory".
 */
#include "plan/policy.h"

#include <errno.h>

#include "base/why.h"

#define ACCESS_DEFAULT (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)
#define ACCESS_REMOTE_STORE (IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC)
#define ACCESS_STORE (IBV_ACCESS_LOCAL_WRITE | ACCESS_REMOTE_STORE | IBV_ACCESS_MW_BIND)
#define ACCESS_KNOWN                                                                               \
	(ACCESS_STORE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_HUGETLB | IBV_ACCESS_RELAXED_ORDERING)

int pinreg_policy_options(const struct pinreg_region_opts *opts, struct pinreg_policy_input *input,
			  struct pinreg_why *why)
{
	unsigned int access = opts->access;
	if (!access)
		access = opts->read_only ? IBV_ACCESS_REMOTE_READ : ACCESS_DEFAULT;

	unsigned int odd = access & ~(unsigned int)ACCESS_KNOWN;
	/* the kernel refuses remote stores into memory that is not locally writable */
	if (access & ACCESS_REMOTE_STORE && !(access & IBV_ACCESS_LOCAL_WRITE))
		odd |= access & ACCESS_REMOTE_STORE;
	if (opts->read_only && access & ACCESS_STORE)
		odd |= access & ACCESS_STORE;
	if (odd || opts->method > PINREG_METHOD_DMABUF ||
	    opts->granularity > PINREG_GRANULARITY_PAGE) {
		pinreg_why_set(why, PINREG_REASON_BAD_OPTION, -EINVAL);
		if (why)
			why->wanted = odd;
		return -EINVAL;
	}
	input->access = access;
	input->method = opts->method;
	input->granularity = opts->granularity;
	input->allow_private_file = opts->allow_private_file;
	return 0;
}

int pinreg_policy_range(uint64_t addr, uint64_t length, struct pinreg_why *why)
{
	if (addr && length && addr + length > addr)
		return 0;
	pinreg_why_set(why, PINREG_REASON_BAD_RANGE, -EINVAL);
	if (why) {
		why->addr = addr;
		why->length = length;
	}
	return -EINVAL;
}

static bool stores(const struct pinreg_policy_input *input)
{
	return input->access & ACCESS_STORE;
}

static void refuse(struct pinreg_plan *out, enum pinreg_reason reason, int error)
{
	out->method = PINREG_METHOD_REFUSE;
	pinreg_why_set(&out->why, reason, error);
}

/* Refuse for a sub-range. */
static void refuse_run(struct pinreg_plan *out, const struct pinreg_run *run,
		       enum pinreg_reason reason, int error)
{
	refuse(out, reason, error);
	out->why.kind = run->kind;
	out->why.addr = run->addr;
	out->why.length = run->length;
}

/* How many bytes at the end of a run have no file behind them. */
static uint64_t past_end(const struct pinreg_run *run, unsigned int page_size)
{
	switch (run->kind) {
	case PINREG_KIND_PAGECACHE:
	case PINREG_KIND_FSDAX:
	case PINREG_KIND_PRIVATE_FILE:
		break;
	case PINREG_KIND_SHMEM:
		/* of memory without a path the size is not known */
		if (run->file_size)
			break;
		return 0;
	default:
		return 0;
	}
	uint64_t end = (run->file_size + page_size - 1) / page_size * page_size;
	if (run->file_offset + run->length <= end)
		return 0;
	uint64_t past = run->file_offset + run->length - end;
	return past < run->length ? past : run->length;
}

/* Is a run out of the question by every method? Then *out says why. */
static bool run_impossible(const struct pinreg_policy_input *input, const struct pinreg_run *run,
			   struct pinreg_plan *out)
{
	unsigned int need = PINREG_PROT_READ | (stores(input) ? PINREG_PROT_WRITE : 0);
	uint64_t past = past_end(run, input->page_size);

	if (run->kind == PINREG_KIND_HOLE)
		refuse_run(out, run, PINREG_REASON_HOLE, -EFAULT);
	else if (run->kind == PINREG_KIND_SPECIAL)
		refuse_run(out, run, PINREG_REASON_SPECIAL, -EOPNOTSUPP);
	else if (run->kind == PINREG_KIND_UNKNOWN_FILE)
		refuse_run(out, run, PINREG_REASON_UNKNOWN_FILE, -EOPNOTSUPP);
	else if (run->kind == PINREG_KIND_PRIVATE_FILE && !input->allow_private_file)
		refuse_run(out, run, PINREG_REASON_PRIVATE_FILE, -EINVAL);
	else if ((run->prot & need) != need) {
		refuse_run(out, run, PINREG_REASON_PROTECTION, -EACCES);
		out->why.wanted = need & ~run->prot;
	} else if (past) {
		refuse_run(out, run, PINREG_REASON_PAST_END, -EFAULT);
		out->why.addr = run->addr + run->length - past;
		out->why.length = past;
		out->why.limit = run->file_size;
	} else
		return false;
	return true;
}

static bool pinnable(const struct pinreg_policy_input *input, const struct pinreg_run *run)
{
	switch (run->kind) {
	case PINREG_KIND_ANON:
	case PINREG_KIND_SHMEM:
	case PINREG_KIND_HUGETLB:
	case PINREG_KIND_DEVDAX:
		return true;
	case PINREG_KIND_PRIVATE_FILE: /* the pin makes private copies */
		return true;
	case PINREG_KIND_PAGECACHE:
		return !stores(input);
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

static bool has_kind(const struct pinreg_policy_input *input, enum pinreg_kind kind)
{
	for (size_t i = 0; i < input->count; i++)
		if (input->runs[i].kind == kind)
			return true;
	return false;
}

static void decide_pin(const struct pinreg_policy_input *input, struct pinreg_plan *out)
{
	uint64_t page = input->page_size;
	uint64_t first = input->addr / page;
	uint64_t last = (input->addr + input->length - 1) / page;
	uint64_t wanted = (last - first + 1) * page; /* whole pages are counted */
	const struct pinreg_memlock *lock = &input->memlock;

	if (lock->limit != UINT64_MAX &&
	    (lock->used > lock->limit || wanted > lock->limit - lock->used)) {
		/* the kernel's own answer to a limit of 0 is EPERM */
		refuse(out, PINREG_REASON_MEMLOCK, lock->limit ? -ENOMEM : -EPERM);
		out->why.limit = lock->limit;
		out->why.used = lock->used;
	} else {
		out->method = PINREG_METHOD_PIN;
		bool cache = has_kind(input, PINREG_KIND_PAGECACHE);
		pinreg_why_set(&out->why,
			       cache ? PINREG_REASON_PIN_READ_ONLY : PINREG_REASON_PIN_MEMORY, 0);
		out->why.kind = cache ? PINREG_KIND_PAGECACHE : input->runs[0].kind;
	}
	out->why.wanted = wanted;
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

/* culprit: the run that cannot be pinned; NULL where ODP was asked for. */
static void decide_odp(const struct pinreg_policy_input *input, const struct pinreg_run *culprit,
		       struct pinreg_plan *out)
{
	const struct pinreg_run *run = culprit ? culprit : &input->runs[0];
	unsigned int need = odp_needed(input);
	enum pinreg_trust trust = input->trust.trust;
	bool bytes = input->granularity == PINREG_GRANULARITY_BYTE ||
		     input->access & IBV_ACCESS_REMOTE_ATOMIC;

	if (!(input->odp & IBV_ODP_SUPPORT) || (input->odp_rc & need) != need)
		refuse_run(out, run, PINREG_REASON_ODP_MISSING, -EOPNOTSUPP);
	else if (trust == PINREG_TRUST_UNTESTED)
		refuse_run(out, run, PINREG_REASON_ODP_UNTESTED, -EOPNOTSUPP);
	else if (trust == PINREG_TRUST_NONE)
		refuse_run(out, run, PINREG_REASON_ODP_UNTRUSTED, -EOPNOTSUPP);
	else if (trust == PINREG_TRUST_PAGE && bytes)
		refuse_run(out, run, PINREG_REASON_ODP_GRANULARITY, -EOPNOTSUPP);
	else {
		out->method = PINREG_METHOD_ODP;
		out->access |= IBV_ACCESS_ON_DEMAND;
		enum pinreg_reason reason = PINREG_REASON_ODP_REQUESTED;
		if (culprit)
			reason = culprit->kind == PINREG_KIND_FSDAX ? PINREG_REASON_ODP_FSDAX
								    : PINREG_REASON_ODP_PAGECACHE;
		pinreg_why_set(&out->why, reason, 0);
		out->why.kind = run->kind;
	}
	out->odp_trust = trust;
	out->why.mtu = input->trust.mtu;
	out->why.wrong = (unsigned int)input->trust.bytes_wrong;
}

static void decide_method(const struct pinreg_policy_input *input, struct pinreg_plan *out)
{
	const struct pinreg_run *culprit = first_unpinnable(input);
	switch (input->method) {
	case PINREG_METHOD_STAGED:
	case PINREG_METHOD_DMABUF:
		refuse(out, PINREG_REASON_METHOD_UNAVAILABLE, -EOPNOTSUPP);
		out->why.wanted = input->method;
		break;
	case PINREG_METHOD_ODP:
		decide_odp(input, NULL, out);
		break;
	case PINREG_METHOD_PIN:
		if (culprit)
			refuse_run(out, culprit, PINREG_REASON_PIN_IMPOSSIBLE, -EOPNOTSUPP);
		else
			decide_pin(input, out);
		break;
	default:
		if (culprit)
			decide_odp(input, culprit, out);
		else
			decide_pin(input, out);
	}
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
	for (size_t i = 0; i < input->count; i++)
		if (run_impossible(input, &input->runs[i], out))
			return;

	if (input->length > input->max_mr_size) {
		refuse(out, PINREG_REASON_TOO_LONG, -E2BIG);
		out->why.wanted = input->length;
		out->why.limit = input->max_mr_size;
	} else if (input->granularity == PINREG_GRANULARITY_PAGE &&
		   (input->addr % input->page_size || input->length % input->page_size)) {
		refuse(out, PINREG_REASON_UNALIGNED, -EINVAL);
		out->why.addr = input->addr;
		out->why.length = input->length;
		out->why.limit = input->page_size;
	} else
		decide_method(input, out);
}
