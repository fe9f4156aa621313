/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inject.h -- a system table that lets a step of another thread happen, or an error
 * come, at the n-th call that the library makes.
 */
#ifndef PINREG_TESTS_SUPPORT_INJECT_H
#define PINREG_TESTS_SUPPORT_INJECT_H

#include <stdbool.h>

#include "sys/sys.h"

typedef void inject_step(void);

/*
 * The real table with the verbs of fake_device.h, each boundary counted. One for the
 * process, never freed. Call it once.
 */
const struct pinreg_sys *inject_table(void);

/*
 * At the n-th call from here on step runs in a thread of its own; the caller waits
 * until it has ended, or as long as it can take to get as far as it can. step NULL:
 * the call fails instead, with an errno that it may have; where it cannot fail
 * nothing happens.
 */
struct inject {
	unsigned int n;
	inject_step *step;
};

/* One of them, or two; count 0 counts nothing. */
void inject_arm(const struct inject *injects, unsigned int count);

/* Waits for the end of the steps. Did the first happen, or was n more than there were calls? */
bool inject_disarm(void);

/* The name of the call at which the last happened; "nowhere". Any thread. */
const char *inject_where(void);

/* What this thread does from now on is the test's, not the library's. */
void inject_exempt(void);

/* Grows with each release of a lease; odd while the lease is not held by the library. */
unsigned int inject_lease_epoch(void);

/* A lease was released with a registration alive. */
bool inject_released_live(void);

#endif
