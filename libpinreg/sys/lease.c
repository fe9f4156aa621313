/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lease.c -- write leases and the signal that tells of their break.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/real.h"
#include "sys/sysfs.h"

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

int pinreg_real_lease_held(int fd)
{
	char path[40], text[1024];
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	int status = pinreg_sysfs_read(path, text, sizeof(text));
	if (status)
		return status;
	/* "lock: 1: LEASE  ACTIVE    WRITE ..."; BREAKING with what it is to become */
	const char *lease = strstr(text, " LEASE ");
	if (!lease)
		return 0;
	char *end = strchr(lease, '\n');
	if (end)
		*end = 0;
	return strstr(lease, " BREAKING ") || strstr(lease, " WRITE ");
}

uint64_t pinreg_real_lease_break_ns(void)
{
	/* the kernel's default where it cannot be read; 0 means never */
	uint64_t seconds = 45;
	char text[16];
	if (!pinreg_sysfs_read("/proc/sys/fs/lease-break-time", text, sizeof(text)))
		seconds = strtoull(text, NULL, 10);
	return seconds ? seconds * 1000000000u : UINT64_MAX;
}
