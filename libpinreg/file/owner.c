/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * owner.c -- which process a record belongs to, and whether it is alive.
 */
#include "file/owner.h"

#include <errno.h>
#include <string.h>

#include "base/why.h"

int pinreg_owner_self(const struct pinreg_sys *sys, struct pinreg_owner *out)
{
	struct pinreg_owner self = { .pid = sys->process_id() };
	int status = sys->process_start((pid_t)self.pid, &self.start);
	if (!status)
		status = sys->process_namespace(&self.space);
	if (!status)
		status = sys->boot_id(self.boot);
	if (!status)
		*out = self;
	return status;
}

bool pinreg_owner_alive(const struct pinreg_sys *sys, const struct pinreg_owner *owner)
{
	char boot[PINREG_BOOT_ID];
	uint64_t space, start;
	if (!owner->pid)
		return false;
	if (sys->boot_id(boot))
		return true;
	if (strcmp(boot, owner->boot))
		return false;
	if (sys->process_namespace(&space) || space != owner->space)
		return true;
	int status = sys->process_start((pid_t)owner->pid, &start);
	if (status)
		return status != -ESRCH;
	return start == owner->start;
}

int pinreg_owner_refuse(const struct pinreg_owner *owner, struct pinreg_why *why)
{
	pinreg_why_set(why, PINREG_REASON_FILE_OWNED, -EBUSY);
	if (why)
		why->used = (uint64_t)owner->pid;
	return -EBUSY;
}
