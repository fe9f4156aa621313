/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * alone.c -- a lease for the length of one call, without a watcher.
 */
#include "file/alone.h"

#include "base/why.h"

int pinreg_alone_begin(struct pinreg_alone *alone, const struct pinreg_sys *sys, int fd,
		       struct pinreg_why *why)
{
	alone->sys = sys;
	alone->fd = fd;
	atomic_init(&alone->give_up, false);
	/* it is not needed, the lease is asked; but there is no lease without one */
	struct pinreg_signals chosen;
	int status = sys->signal_choose(0, &chosen);
	if (status)
		return pinreg_why_set(why, PINREG_REASON_NO_SIGNAL, status);
	alone->signal = chosen.signal;
	status = sys->signals_block(alone->signal, &alone->before);
	if (status)
		return pinreg_why_call(why, PINREG_REASON_FILE_SYSTEM_CALL, "pthread_sigmask",
				       status);
	status = sys->lease_take(fd, alone->signal, sys->thread_id());
	if (status) {
		sys->signals_restore(alone->signal, &alone->before);
		return pinreg_tenure_refused(status, why);
	}
	pinreg_tenure_begin(&alone->tenure, sys, fd, &alone->give_up);
	return 0;
}

void pinreg_alone_end(struct pinreg_alone *alone)
{
	alone->sys->lease_release(alone->fd);
	alone->sys->signals_restore(alone->signal, &alone->before);
}
