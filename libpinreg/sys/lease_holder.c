/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lease_holder.c -- who holds a lease that opening a file would break.
 */
#include "sys/lease_holder.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

/* "1: LEASE  ACTIVE    WRITE 716 103:02:12 0 EOF"; nfsd's are DELEG. */
static pid_t holder_in(const char *line, uint64_t device, uint64_t inode, bool write)
{
	char what[8], state[16], type[8];
	unsigned int dev_major, dev_minor;
	unsigned long found;
	int pid;
	if (sscanf(line, "%*d: %7s %15s %7s %d %x:%x:%lu", what, state, type, &pid, &dev_major,
		   &dev_minor, &found) != 7)
		return 0;
	if (strcmp(what, "LEASE") != 0 && strcmp(what, "DELEG") != 0)
		return 0;
	if (makedev(dev_major, dev_minor) != device || found != inode)
		return 0;
	/* a lease that is being broken is READ or UNLCK already */
	if (!write && strcmp(type, "READ") == 0 && strcmp(state, "ACTIVE") == 0)
		return 0;
	return pid > 0 ? pid : -1;
}

pid_t pinreg_real_lease_holder(uint64_t device, uint64_t inode, bool write)
{
	FILE *locks = fopen("/proc/locks", "re");
	char line[256];
	pid_t holder = 0;
	if (!locks)
		return 0;
	while (!holder && fgets(line, sizeof(line), locks))
		holder = holder_in(line, device, inode, write);
	fclose(locks);
	return holder;
}
