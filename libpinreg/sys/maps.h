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
	/* bytes; the text form knows no better than that of ordinary pages */
	unsigned int page_size;
	char name[PATH_MAX]; /* also empty where the path is longer than that */
};

/*
 * A look at the map. With the ioctl the kernel is asked for each mapping; where
 * it does not have it, the text is read once, at the first question.
 */
struct pinreg_maps {
	int fd;
	bool own;     /* the descriptor is for this look only */
	bool text;    /* the fallback is in use */
	char *buffer; /* of the fallback: the whole text */
	size_t length;
	size_t position; /* where the next line starts */
	uint64_t passed; /* the end of the last mapping before it */
};

/*
 * What can be found out about the file behind a mapping. Not meaningful for a
 * mapping without a file: pinreg_mapping_has_file() tells.
 */
struct pinreg_mapped_file {
	bool found; /* false: it could not be looked at (deleted, no rights) */
	bool dax;
	bool hugetlb;		/* lives on hugetlbfs */
	bool shmem;		/* lives on tmpfs or the kernel's internal shmem mount */
	bool device;		/* a character device, or memory of the kernel in a file's shape */
	bool devdax;		/* one of the dax subsystem */
	bool secret;		/* memfd_secret */
	bool anonymous;		/* a file in name only: nobody else can map it */
	bool internal;		/* on a mount of the kernel's own: it never had a path */
	unsigned int page_size; /* of hugetlb and devdax; 0: that of the mapping is right */
	bool sized;		/* the size is known */
	uint64_t size;		/* bytes */
};

/* Anonymous memory and the kernel's own mappings have neither inode nor device. */
static inline bool pinreg_mapping_has_file(const struct pinreg_mapping *mapping)
{
	return mapping->inode || mapping->dev_major || mapping->dev_minor;
}

#endif
