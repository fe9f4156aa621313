/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tenure.h -- how long a lease is surely ours.
 *
 * Somebody who opens the file waits for us for lease-break-time at most; then
 * the kernel lets him in, and whatever we still do to the file we do to his.
 * F_GETLEASE tells that somebody waits, not whether he has been let in. What
 * is certain: nobody is in before lease-break-time has passed since the lease
 * was last seen whole.
 */
#ifndef PINREG_FILE_TENURE_H
#define PINREG_FILE_TENURE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <pinreg/reason.h>

#include "sys/sys.h"

struct pinreg_tenure {
	const struct pinreg_sys *sys;
	int fd;
	uint64_t whole_ns;	      /* when it was last seen whole */
	uint64_t break_ns;	      /* lease-break-time; UINT64_MAX: never */
	bool insist;		      /* go on for a while although somebody waits */
	const _Atomic(bool) *give_up; /* our own thread waits: its owner closes */
};

/* The lease was refused with status: -errno for the caller, and *why, not NULL. */
int pinreg_tenure_refused(int status, struct pinreg_why *why);

/* The lease was just taken. *give_up is looked at from any thread. */
void pinreg_tenure_begin(struct pinreg_tenure *tenure, const struct pinreg_sys *sys, int fd,
			 const _Atomic(bool) *give_up);

/* Does nobody wait for the file? */
bool pinreg_tenure_whole(struct pinreg_tenure *tenure);

/*
 * Between two pieces of slow work on the file: shall it end here, for somebody
 * waits? 0, or -EBUSY with *why. Who insists goes on for a quarter of
 * lease-break-time; what is left of it is for letting the other one in.
 */
int pinreg_tenure_check(struct pinreg_tenure *tenure, struct pinreg_why *why);

/* Is the file still ours alone, whoever waits, with half the time to spare? */
bool pinreg_tenure_sure(struct pinreg_tenure *tenure);

#endif
