/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lease.c -- write leases and the signal that tells of their break.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "sys/real.h"

int pinreg_real_lease_take(int fd, int signal, pid_t thread)
{
	/*
	 * Signal and owner are forgotten with every release, so they are set
	 * before each lease; F_OWNER_TID, because a process-directed real-time
	 * signal kills a process that has a thread which does not block it.
	 */
	struct f_owner_ex owner = { .type = F_OWNER_TID, .pid = thread };
	if (fcntl(fd, F_SETSIG, signal))
		return -errno;
	if (fcntl(fd, F_SETOWN_EX, &owner))
		return -errno;
	if (fcntl(fd, F_SETLEASE, F_WRLCK))
		return -errno;
	return 0;
}

int pinreg_real_lease_get(int fd, int *type)
{
	int got = fcntl(fd, F_GETLEASE);
	if (got < 0)
		return -errno;
	*type = got;
	return 0;
}

int pinreg_real_lease_release(int fd)
{
	return fcntl(fd, F_SETLEASE, F_UNLCK) ? -errno : 0;
}
