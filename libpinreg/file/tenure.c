/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tenure.c -- how long a lease is surely ours.
 */
#include "file/tenure.h"

#include <errno.h>
#include <fcntl.h>

#include "base/why.h"

int pinreg_tenure_refused(int status, struct pinreg_why *why)
{
	switch (status) {
	case -EAGAIN:
		return pinreg_why_set(why, PINREG_REASON_FILE_IN_USE, -EBUSY);
	case -EACCES:
		return pinreg_why_set(why, PINREG_REASON_FILE_LEASE_DENIED, -EACCES);
	case -EINVAL:
		pinreg_why_call(why, PINREG_REASON_FILE_LEASE_UNSUPPORTED, "F_SETLEASE", status);
		why->error = -EOPNOTSUPP;
		return -EOPNOTSUPP;
	default:
		return pinreg_why_call(why, PINREG_REASON_FILE_SYSTEM_CALL, "F_SETLEASE", status);
	}
}

void pinreg_tenure_begin(struct pinreg_tenure *tenure, const struct pinreg_sys *sys, int fd,
			 const _Atomic(bool) *give_up)
{
	*tenure = (struct pinreg_tenure){
		.sys = sys,
		.fd = fd,
		.whole_ns = sys->now_ns(),
		.break_ns = sys->lease_break_ns(),
		.give_up = give_up,
	};
}

bool pinreg_tenure_whole(struct pinreg_tenure *tenure)
{
	int type;
	uint64_t now = tenure->sys->now_ns(); /* before the look */
	if (tenure->sys->lease_get(tenure->fd, &type) || type != F_WRLCK)
		return false;
	tenure->whole_ns = now;
	return true;
}

static bool may_insist(const struct pinreg_tenure *tenure)
{
	if (!tenure->insist || tenure->break_ns == UINT64_MAX)
		return tenure->insist;
	return tenure->sys->now_ns() - tenure->whole_ns < tenure->break_ns / 4;
}

int pinreg_tenure_check(struct pinreg_tenure *tenure, struct pinreg_why *why)
{
	if (!atomic_load(tenure->give_up) && (pinreg_tenure_whole(tenure) || may_insist(tenure)))
		return 0;
	return pinreg_why_set(why, PINREG_REASON_FILE_TAKEN, -EBUSY);
}

bool pinreg_tenure_sure(struct pinreg_tenure *tenure)
{
	if (pinreg_tenure_whole(tenure) || tenure->break_ns == UINT64_MAX)
		return true;
	return tenure->sys->now_ns() - tenure->whole_ns < tenure->break_ns / 2;
}
