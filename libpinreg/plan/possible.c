/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * possible.c -- what no method can do, and the small tools of a refusal.
 */
#include "plan/possible.h"

#include <errno.h>

#include "base/why.h"

#define ACCESS_STORE                                                                               \
	(IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC |             \
	 IBV_ACCESS_MW_BIND)

bool pinreg_policy_stores(const struct pinreg_policy_input *input)
{
	return input->access & ACCESS_STORE;
}

bool pinreg_policy_has(const struct pinreg_policy_input *input, enum pinreg_kind kind)
{
	for (size_t i = 0; i < input->count; i++)
		if (input->runs[i].kind == kind)
			return true;
	return false;
}

void pinreg_refuse(struct pinreg_plan *out, enum pinreg_reason reason, int error)
{
	out->method = PINREG_METHOD_REFUSE;
	pinreg_why_set(&out->why, reason, error);
}

/* Refuse for a sub-range. */
void pinreg_refuse_run(struct pinreg_plan *out, const struct pinreg_run *run,
		       enum pinreg_reason reason, int error)
{
	pinreg_refuse(out, reason, error);
	out->why.kind = run->kind;
	out->why.addr = run->addr;
	out->why.length = run->length;
}

/* How many bytes at the end of a run have no file behind them. */
static uint64_t past_end(const struct pinreg_run *run, unsigned int page_size)
{
	switch (run->kind) {
	case PINREG_KIND_NONE:
	case PINREG_KIND_HOLE:
	case PINREG_KIND_ANON:
	case PINREG_KIND_SPECIAL:
	case PINREG_KIND_UNKNOWN_FILE:
		return 0;
	default:
		if (run->flags & PINREG_RUN_NO_SIZE)
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
	unsigned int need =
		PINREG_PROT_READ | (pinreg_policy_stores(input) ? PINREG_PROT_WRITE : 0);
	uint64_t past = past_end(run, input->page_size);

	if (run->kind == PINREG_KIND_HOLE)
		pinreg_refuse_run(out, run, PINREG_REASON_HOLE, -EFAULT);
	else if (run->kind == PINREG_KIND_SPECIAL)
		pinreg_refuse_run(out, run, PINREG_REASON_SPECIAL, -EOPNOTSUPP);
	else if (run->kind == PINREG_KIND_UNKNOWN_FILE)
		pinreg_refuse_run(out, run, PINREG_REASON_UNKNOWN_FILE, -EOPNOTSUPP);
	else if (run->kind == PINREG_KIND_PRIVATE_FILE && !input->allow_private_file)
		pinreg_refuse_run(out, run, PINREG_REASON_PRIVATE_FILE, -EINVAL);
	else if ((run->prot & need) != need) {
		pinreg_refuse_run(out, run, PINREG_REASON_PROTECTION, -EACCES);
		out->why.wanted = need & ~run->prot;
	} else if (past) {
		pinreg_refuse_run(out, run, PINREG_REASON_PAST_END, -EFAULT);
		out->why.addr = run->addr + run->length - past;
		out->why.length = past;
		out->why.limit = run->file_size;
	} else
		return false;
	return true;
}

/* The first run of another kind than the one before it, or NULL. */
const struct pinreg_run *pinreg_policy_boundary(const struct pinreg_policy_input *input)
{
	for (size_t i = 1; i < input->count; i++)
		if (input->runs[i].kind != input->runs[i - 1].kind)
			return &input->runs[i];
	return NULL;
}

static bool flush_possible(const struct pinreg_policy_input *input, struct pinreg_plan *out)
{
	unsigned int missing = 0;
	if (!input->flush_global)
		missing |= input->access & PINREG_ACCESS_FLUSH_GLOBAL;
	if (!input->flush_persistent)
		missing |= input->access & PINREG_ACCESS_FLUSH_PERSISTENT;
	if (missing) {
		pinreg_refuse(out, PINREG_REASON_FLUSH_MISSING, -EOPNOTSUPP);
		out->why.wanted = missing;
		return false;
	}
	if (!(input->access & PINREG_ACCESS_FLUSH_PERSISTENT))
		return true;
	for (size_t i = 0; i < input->count; i++) {
		const struct pinreg_run *run = &input->runs[i];
		if (run->kind == PINREG_KIND_FSDAX || run->kind == PINREG_KIND_DEVDAX)
			continue;
		pinreg_refuse_run(out, run, PINREG_REASON_FLUSH_NOT_PMEM, -EINVAL);
		return false;
	}
	return true;
}

/* What is possible in itself, whatever the method? If not, *out says why. */
bool pinreg_policy_possible(const struct pinreg_policy_input *input, struct pinreg_plan *out)
{
	const struct pinreg_run *boundary =
		input->single_kind ? pinreg_policy_boundary(input) : NULL;
	for (size_t i = 0; i < input->count; i++)
		if (run_impossible(input, &input->runs[i], out))
			return false;

	if (boundary) {
		pinreg_refuse_run(out, boundary, PINREG_REASON_KINDS, -EXDEV);
	} else if (input->length > input->max_mr_size) {
		pinreg_refuse(out, PINREG_REASON_TOO_LONG, -E2BIG);
		out->why.wanted = input->length;
		out->why.limit = input->max_mr_size;
	} else if (input->granularity == PINREG_GRANULARITY_PAGE &&
		   (input->addr % input->page_size || input->length % input->page_size)) {
		pinreg_refuse(out, PINREG_REASON_UNALIGNED, -EINVAL);
		out->why.addr = input->addr;
		out->why.length = input->length;
		out->why.limit = input->page_size;
	} else if (input->iova && (input->iova ^ input->addr) % input->page_size) {
		/* the kernel's rule for every registration, and a shadow lies as the memory does */
		pinreg_refuse(out, PINREG_REASON_IOVA, -EINVAL);
		out->why.addr = input->iova;
		out->why.length = input->length;
		out->why.wanted = input->iova % input->page_size;
		out->why.used = input->addr % input->page_size;
		out->why.limit = input->page_size;
	} else {
		return flush_possible(input, out);
	}
	return false;
}
