/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * outcome.h -- what registering really gave, beside what the plan said.
 */
#ifndef TOOL_OUTCOME_H
#define TOOL_OUTCOME_H

#include <stdbool.h>

#include <pinreg/pinreg.h>

#include "failure.h"
#include "memory.h"

struct outcome {
	int error; /* 0: registered; or the -errno of registering */
	struct pinreg_why why;
	struct pinreg_region_info info; /* where it was registered */
	struct pinreg_keys keys;
	uint64_t pinned; /* by which the domain's pinned bytes grew */
	double milliseconds;
	const char *differs[8]; /* what is not as planned, until NULL */
};

/*
 * Register as opts say, compare with the plan, deregister.
 * Return: STATUS_GOOD with an *out, also when it was refused or differs.
 */
enum status outcome_make(struct pinreg_domain *domain, const struct memory *memory,
			 const struct pinreg_region_opts *opts, const struct pinreg_plan *plan,
			 struct outcome *out, struct failure *failure);

#endif
