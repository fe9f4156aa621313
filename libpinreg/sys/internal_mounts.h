/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * internal_mounts.h -- the kernel's own mounts for memory without a path.
 */
#ifndef PINREG_SYS_INTERNAL_MOUNTS_H
#define PINREG_SYS_INTERNAL_MOUNTS_H

#include <stdbool.h>

struct pinreg_internal_mount {
	unsigned int dev_major;
	unsigned int dev_minor;
	bool hugetlb;		/* else shmem */
	unsigned int page_size; /* of hugetlb, else 0 */
};

/* The one with this device number, or NULL. Thread: any. */
const struct pinreg_internal_mount *pinreg_internal_mount_find(unsigned int dev_major,
							       unsigned int dev_minor);

#endif
