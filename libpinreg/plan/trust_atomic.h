/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trust_atomic.h -- the part of the data test that is about atomic operations.
 */
#ifndef PINREG_PLAN_TRUST_ATOMIC_H
#define PINREG_PLAN_TRUST_ATOMIC_H

#include "plan/trust_side.h"

/*
 * Fetch-and-add and compare-and-swap at several places of the target, on pages
 * that are there and on pages that were dropped. ASSUMPTIONS: the target allows
 * REMOTE_ATOMIC, is four pages long or longer, and equals its image.
 * Counts into report->atomics and ->atomics_wrong. 0 with a finding, also
 * where an operation killed the loop; or the -errno that kept it from one.
 */
int pinreg_trust_atomics(struct pinreg_loop *loop, struct pinreg_trust_side *peer,
			 struct pinreg_trust_side *target, uint64_t page,
			 struct pinreg_trust_report *report);

/*
 * Was every atomic operation right, and was there one? What was not tested is
 * the caller's word: FULL is for atomics too.
 */
bool pinreg_trust_has_atomics(const struct pinreg_trust_report *report);

#endif
