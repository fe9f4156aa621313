/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * possible.h -- what no method can do, and the small tools of a refusal.
 */
#ifndef PINREG_PLAN_POSSIBLE_H
#define PINREG_PLAN_POSSIBLE_H

#include "plan/policy.h"

/* Turn the plan into a refusal; _run: because of that sub-range. */
void pinreg_refuse(struct pinreg_plan *out, enum pinreg_reason reason, int error);
void pinreg_refuse_run(struct pinreg_plan *out, const struct pinreg_run *run,
		       enum pinreg_reason reason, int error);

/* Does the access store into the memory? */
bool pinreg_policy_stores(const struct pinreg_policy_input *input);

/* Is a run of that kind in the range? */
bool pinreg_policy_has(const struct pinreg_policy_input *input, enum pinreg_kind kind);

/* The first run of another kind than the one before it, or NULL. */
const struct pinreg_run *pinreg_policy_boundary(const struct pinreg_policy_input *input);

/*
 * Is what is asked possible in itself, whatever the method? If not, *out is a
 * refusal that says why.
 */
bool pinreg_policy_possible(const struct pinreg_policy_input *input, struct pinreg_plan *out);

#endif
