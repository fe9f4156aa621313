/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * leases.c -- who holds a lease that opening a file would break.
 */
#include "leases.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

/* "1: LEASE  ACTIVE    WRITE 716 103:02:12 0 EOF"; nfsd's are DELEG. */
static int holder_in(const char *line, const struct stat *file, bool write)
{
	char what[8], state[16], type[8];
	unsigned int dev_major, dev_minor;
	unsigned long inode;
	int pid;

	if (sscanf(line, "%*d: %7s %15s %7s %d %x:%x:%lu", what, state, type, &pid, &dev_major,
		   &dev_minor, &inode) != 7)
		return 0;
	if (strcmp(what, "LEASE") != 0 && strcmp(what, "DELEG") != 0)
		return 0;
	if (dev_major != major(file->st_dev) || dev_minor != minor(file->st_dev) ||
	    inode != file->st_ino)
		return 0;
	/* a lease that is being broken is READ or UNLCK already */
	if (!write && strcmp(type, "READ") == 0 && strcmp(state, "ACTIVE") == 0)
		return 0;
	return pid ? pid : -1;
}

int leases_holder(const struct stat *file, bool write)
{
	FILE *locks = fopen("/proc/locks", "re");
	char line[256];
	int holder = 0;

	if (!locks)
		return 0;
	while (!holder && fgets(line, sizeof(line), locks))
		holder = holder_in(line, file, write);
	fclose(locks);
	return holder;
}
