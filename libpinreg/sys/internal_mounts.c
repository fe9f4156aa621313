/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * internal_mounts.c -- the kernel's own mounts for memory without a path.
 *
 * memfd, System V and shared anonymous memory are files on one shmem mount or,
 * of huge pages, on one hugetlbfs mount for each page size. No path leads
 * there, and the names in the map can be those of deleted files. What tells
 * is the device number, and that is learnt from a memfd of each sort.
 */
#include "sys/internal_mounts.h"

#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/* All huge page sizes of all architectures: 64 KiB to 16 GiB. */
#define FIRST_HUGE_SHIFT 16
#define LAST_HUGE_SHIFT 34
#define HUGE_SHIFT_BIT 26 /* where memfd_create() wants it */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct pinreg_internal_mount mounts[1 + LAST_HUGE_SHIFT - FIRST_HUGE_SHIFT + 1];
static size_t mount_count;

/* With NOEXEC_SEAL first: the kernel logs a warning without, and a sysctl may demand it. */
static int probe_open(unsigned int flags)
{
	int fd = memfd_create("pinreg-probe", MFD_CLOEXEC | MFD_NOEXEC_SEAL | flags);
	return fd >= 0 ? fd : memfd_create("pinreg-probe", MFD_CLOEXEC | flags);
}

/* Remember the device of such a memfd; where there is none it cannot be mapped either. */
static void probe(unsigned int flags, bool hugetlb, unsigned int page_size)
{
	int fd = probe_open(flags);
	if (fd < 0)
		return;
	struct stat look;
	if (!fstat(fd, &look))
		mounts[mount_count++] = (struct pinreg_internal_mount){
			.dev_major = major(look.st_dev),
			.dev_minor = minor(look.st_dev),
			.hugetlb = hugetlb,
			.page_size = page_size,
		};
	close(fd);
}

static void probe_all(void)
{
	probe(0, false, 0);
	for (unsigned int shift = FIRST_HUGE_SHIFT; shift <= LAST_HUGE_SHIFT; shift++) {
		/* a page of 4 GiB or more does not fit into the map's page size */
		unsigned int page_size = shift < 32 ? 1u << shift : 0;
		probe(MFD_HUGETLB | shift << HUGE_SHIFT_BIT, true, page_size);
	}
}

const struct pinreg_internal_mount *pinreg_internal_mount_find(unsigned int dev_major,
							       unsigned int dev_minor)
{
	pthread_once(&once, probe_all);
	for (size_t i = 0; i < mount_count; i++)
		if (mounts[i].dev_major == dev_major && mounts[i].dev_minor == dev_minor)
			return &mounts[i];
	return NULL;
}
