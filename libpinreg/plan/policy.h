/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy.h -- the decision as a pure function: no I/O, no clock, no state.
 */
#ifndef PINREG_PLAN_POLICY_H
#define PINREG_PLAN_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include <pinreg/plan.h>

#include "sys/sys.h"

/* RDMA FLUSH; the names came to rdma-core later than the numbers to the kernel. */
#define PINREG_ACCESS_FLUSH_GLOBAL (1u << 8)
#define PINREG_ACCESS_FLUSH_PERSISTENT (1u << 9)

/* Everything that the decision depends on. */
struct pinreg_policy_input {
	uint64_t addr;
	uint64_t length;
	const struct pinreg_run *runs; /* ascending, covering the range */
	size_t count;
	unsigned int page_size; /* base pages of the machine, bytes */

	unsigned int access; /* resolved: see pinreg_policy_options() */
	enum pinreg_method method;
	enum pinreg_granularity granularity;
	bool allow_private_file;
	bool no_staging;
	bool single_kind;
	uint64_t iova; /* 0: the address of the memory */

	unsigned int odp;    /* device: IBV_ODP_SUPPORT* */
	unsigned int odp_rc; /* device: IBV_ODP_SUPPORT_* for RC */
	bool flush_global;
	bool flush_persistent;
	bool read_only_fails; /* the kernel does not pin shared memory that may only be read */
	bool iova_works;      /* a pinned region with another iova moved the right bytes */
	uint64_t max_mr_size;
	struct pinreg_memlock memlock;
	struct pinreg_memlock budget;	  /* of the domain; limit UINT64_MAX: none */
	struct pinreg_trust_report trust; /* trust UNTESTED: no test yet */
};

/*
 * Take the caller's options into the input. 0, or -EINVAL with *why where
 * something in them is unknown or contradicts itself.
 */
int pinreg_policy_options(const struct pinreg_region_opts *opts, struct pinreg_policy_input *input,
			  struct pinreg_why *why);

/* Is the range itself possible? 0, or -EINVAL with *why. */
int pinreg_policy_range(uint64_t addr, uint64_t length, struct pinreg_why *why);

/*
 * Decide. Writes all of *out but its size. Where ODP is the way and the trust
 * is UNTESTED the answer is a refusal with PINREG_REASON_ODP_UNTESTED: test,
 * then ask again.
 */
void pinreg_policy_decide(const struct pinreg_policy_input *input, struct pinreg_plan *out);

/*
 * Where peers are to come through windows of the device (bits as in struct
 * pinreg_domain_info): take the remote rights out of a plan, or refuse. The rights.
 */
unsigned int pinreg_policy_windows(unsigned int memory_windows, struct pinreg_plan *plan);

#endif
