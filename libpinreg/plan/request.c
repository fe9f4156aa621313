/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * request.c -- what the caller asks for, taken apart and checked in itself.
 */
#include <errno.h>

#include "base/why.h"
#include "plan/policy.h"

#define ACCESS_DEFAULT (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)
#define ACCESS_REMOTE_STORE (IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC)
#define ACCESS_REMOTE (IBV_ACCESS_REMOTE_READ | ACCESS_REMOTE_STORE)
#define ACCESS_STORE (IBV_ACCESS_LOCAL_WRITE | ACCESS_REMOTE_STORE | IBV_ACCESS_MW_BIND)
#define ACCESS_FLUSH (PINREG_ACCESS_FLUSH_GLOBAL | PINREG_ACCESS_FLUSH_PERSISTENT)
#define ACCESS_KNOWN                                                                               \
	(ACCESS_STORE | ACCESS_FLUSH | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_HUGETLB |               \
	 IBV_ACCESS_RELAXED_ORDERING)

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
	/* windows give no other rights, and none is no window */
	if (opts->windows)
		odd |= access & ACCESS_REMOTE ? access & ACCESS_FLUSH : access;
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
	input->no_staging = opts->no_staging;
	input->single_kind = opts->single_kind;
	input->iova = opts->iova;
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
