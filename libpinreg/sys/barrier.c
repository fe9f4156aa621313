/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * barrier.c -- memory barriers in all threads of the process, made by one of them.
 */
#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/real.h"

#define NEEDED (MEMBARRIER_CMD_PRIVATE_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)

static long membarrier(int command)
{
	long got = syscall(SYS_membarrier, command, 0, 0);
	return got < 0 ? -errno : got;
}

int pinreg_real_barrier_register(void)
{
	long commands = membarrier(MEMBARRIER_CMD_QUERY);
	if (commands < 0)
		return (int)commands;
	if ((commands & NEEDED) != NEEDED)
		return -EOPNOTSUPP;
	return (int)membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
}

int pinreg_real_barrier(void)
{
	return (int)membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}
