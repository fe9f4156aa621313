/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * persist_none.c -- durability without libpmem2: msync for everything.
 */
#include <stdint.h>

#include "sys/real.h"

struct pinreg_persist {
	char unused;
};

static struct pinreg_persist msync_only;

int pinreg_real_persist_open(int fd, void *addr, uint64_t length, bool map_sync,
			     struct pinreg_persist **out)
{
	(void)fd;
	(void)addr;
	(void)length;
	(void)map_sync;
	*out = &msync_only;
	return 0;
}

int pinreg_real_persist_range(struct pinreg_persist *persist, void *addr, uint64_t length)
{
	(void)persist;
	return pinreg_real_sync_mapping(addr, length);
}

void pinreg_real_persist_close(struct pinreg_persist *persist)
{
	(void)persist;
}
