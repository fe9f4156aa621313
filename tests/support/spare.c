/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spare.c -- a filesystem on the guest's spare persistent memory, by spare.sh.
 */
#include "support/spare.h"

#include <stdio.h>
#include <stdlib.h>

#include "support/host.h"
#include "support/test.h"

#define SCRIPT "bash \"${PINREG_SOURCE_DIR:-.}/tests/support/spare.sh\""

void spare_make(unsigned int mib, const char *what)
{
	char size[32] = "";
	if (mib)
		snprintf(size, sizeof(size), "SPARE_SIZE=%u", mib);
	if (host_run("%s " SCRIPT " spare_filesystem %s", size, what))
		fail_msg("no filesystem '%s' could be made", what);
}

const char *spare_device(void)
{
	static char path[64];
	const char *number = getenv("PINREG_SPARE");
	if (!number || host_run(SCRIPT " spare_device >/dev/null"))
		fail_msg("there is no spare persistent memory: this runs in the lab's guest");
	snprintf(path, sizeof(path), "/dev/pmem%s", number);
	return path;
}

int spare_remove(void **state)
{
	(void)state;
	return host_run(SCRIPT " spare_remove");
}
