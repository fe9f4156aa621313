/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dax_device.c -- can a block device be mapped without the page cache?
 */
#include <errno.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "sys/real.h"
#include "sys/sysfs.h"

int pinreg_real_device_can_dax(uint64_t device)
{
	/* a partition has the queue of its disk */
	static const char *const places[] = { "", "/.." };
	char path[96], text[16];
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u%s/queue/dax",
			 major((dev_t)device), minor((dev_t)device), places[i]);
		if (!pinreg_sysfs_read(path, text, sizeof(text)))
			return text[0] == '1';
	}
	return -ENOENT;
}
