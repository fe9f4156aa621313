/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memories.h -- every kind of memory, made from one line of a table each.
 */
#ifndef PINREG_TESTS_SUPPORT_MEMORIES_H
#define PINREG_TESTS_SUPPORT_MEMORIES_H

#include <stdbool.h>
#include <stddef.h>

#include <pinreg/backing.h>

/* Of one piece, unless its pages are larger. */
#define MEMORY_LENGTH ((size_t)64 << 10)
#define MEMORY_HUGE ((size_t)2 << 20)

/* What is done to a piece after it was mapped. Bits. */
#define MEMORY_TOUCHED 1u  /* every page was written, or read where it may not be written */
#define MEMORY_SHORT 2u	   /* the file is half as long as the mapping */
#define MEMORY_CUT 4u	   /* the file is truncated to its half afterwards */
#define MEMORY_EMPTIED 8u  /* the file is truncated to nothing afterwards */
#define MEMORY_DELETED 16u /* the file has no name any more */
#define MEMORY_ODD_END 32u /* the file ends in the middle of a page */

struct memory_row;

/* What was made. mapped: all of it, of which addr is the part to be looked at. */
struct memory {
	unsigned char *addr;
	size_t length;
	void *mapped;
	size_t mapped_length;
	char path[256]; /* to be deleted, or empty */
	char missing[128];
};

/* At the address at (NULL: anywhere). false: not here, and out->missing says why. */
typedef bool memory_make(const struct memory_row *row, void *at, struct memory *out);

struct memory_row {
	const char *name;
	memory_make *make;
	const char *where; /* folder, device or name in the memory map */
	int prot;
	int flags; /* of mmap(); of memfd_create() too where it is MFD_HUGETLB */
	unsigned int state;
	enum pinreg_kind kind; /* of its first byte */
};

/* Fails the case where something goes wrong that is not just missing. */
bool memory_open(const struct memory_row *row, struct memory *out);
void memory_close(struct memory *memory);

memory_make memory_anonymous;
memory_make memory_thp;	     /* asked to be transparent huge pages, 2 MiB aligned */
memory_make memory_guarded;  /* a guard page in the middle */
memory_make memory_holed;    /* a page of it is not mapped */
memory_make memory_unmapped; /* nothing is */
memory_make memory_named;    /* what is there under a name in the map: "[heap]" */
memory_make memory_device;   /* where: a device or a file that maps one */
memory_make memory_devdax_end;
memory_make memory_file; /* where: the folder */
memory_make memory_memfd;
memory_make memory_huge_memfd;
memory_make memory_system_v;
memory_make memory_secret;
memory_make memory_udmabuf;
memory_make memory_pci; /* a region of some PCI device */
memory_make memory_io_uring;

/* Two rows side by side: the first at addr, the second right behind it. */
bool memory_open_pair(const struct memory_row *first, const struct memory_row *second,
		      struct memory *out);

/* For one of the makers: it is not here. Gives false. */
bool memory_is_missing(struct memory *out, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
