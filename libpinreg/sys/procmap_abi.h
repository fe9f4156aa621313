/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * procmap_abi.h -- the kernel's ioctl that answers for one mapping.
 *
 * Linux 6.11 and later. The layout is fixed by the kernel; headers that are
 * older than the running kernel do not have it, so it is spelt out here.
 */
#ifndef PINREG_SYS_PROCMAP_ABI_H
#define PINREG_SYS_PROCMAP_ABI_H

#include <stdint.h>
#include <sys/ioctl.h>

struct pinreg_procmap_query {
	uint64_t size; /* of this struct */
	uint64_t query_flags;
	uint64_t query_addr;
	/* from here on the kernel's answer */
	uint64_t vma_start;
	uint64_t vma_end;
	uint64_t vma_flags;
	uint64_t vma_page_size;
	uint64_t vma_offset; /* into the file, bytes */
	uint64_t inode;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint32_t vma_name_size; /* in: room; out: length with the zero, 0: no name */
	uint32_t build_id_size; /* in: 0, nobody wants it */
	uint64_t vma_name_addr;
	uint64_t build_id_addr;
};

_Static_assert(sizeof(struct pinreg_procmap_query) == 104, "the size is part of the ioctl number");

#define PINREG_PROCMAP_QUERY _IOWR('f', 17, struct pinreg_procmap_query)

#define PINREG_PROCMAP_READABLE 0x01u
#define PINREG_PROCMAP_WRITABLE 0x02u
#define PINREG_PROCMAP_SHARED 0x08u
#define PINREG_PROCMAP_COVERING_OR_NEXT 0x10u

#endif
