/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * maps.h -- the process's own memory map, one mapping at a time.
 */
#ifndef PINREG_SYS_MAPS_H
#define PINREG_SYS_MAPS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One mapping as the kernel tells it. name is empty for anonymous memory. */
struct pinreg_mapping {
	uint64_t start;
	uint64_t end;
	uint64_t file_offset;
	uint64_t inode;
	unsigned int dev_major;
	unsigned int dev_minor;
	unsigned int prot; /* PINREG_PROT_* */
	bool shared;
	unsigned int page_size; /* 0: not told (the text form does not) */
	char name[PATH_MAX];
};

/*
 * A look at the map. With the ioctl the file is asked for each mapping; where
 * the kernel does not have it, the text is read once, at the first question.
 */
struct pinreg_maps {
	int fd;
	bool text;    /* the fallback is in use */
	char *buffer; /* of the fallback: the whole text */
	size_t length;
	size_t position; /* where the next line starts */
};

/* What can be found out about the file behind a mapping. */
struct pinreg_mapped_file {
	bool found; /* false: it could not be looked at (deleted, no rights) */
	bool dax;
	bool hugetlb;  /* lives on hugetlbfs */
	bool shmem;    /* lives on tmpfs or the kernel's internal shmem mount */
	bool device;   /* a character device */
	bool devdax;   /* one of the dax subsystem */
	bool secret;   /* memfd_secret */
	uint64_t size; /* bytes */
};

#endif
