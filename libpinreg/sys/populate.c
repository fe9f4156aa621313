/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * populate.c -- pages of mappings: which are there, bringing them in and dropping
 * them, huge ones.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pinreg_config.h"
#include "sys/cpus.h"
#include "sys/real.h"
#include "sys/sysfs.h"

#ifndef PINREG_HAVE_MADV_POPULATE
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

#define THP "/sys/kernel/mm/transparent_hugepage/"

/* How far an address is from the page boundary before it. */
static uintptr_t within_page(const void *addr)
{
	return (uintptr_t)addr % pinreg_real_page_size();
}

/* For the time of one call nobody can change a mapping of the process, a fence neither. */
#define AT_ONCE ((uint64_t)16 << 20)

int pinreg_real_populate(void *addr, uint64_t length, bool write)
{
	char *start = (char *)addr - within_page(addr);
	char *end = (char *)addr + length;
	int status = 0;
	while (!status && start < end) {
		uint64_t part = AT_ONCE - (uintptr_t)start % AT_ONCE;
		if (part > (uint64_t)(end - start))
			part = (uint64_t)(end - start);
		do {
			status = madvise(start, part,
					 write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
		} while (status && errno == EINTR);
		start += part;
	}
	return status ? -errno : 0;
}

int pinreg_real_drop(void *addr, uint64_t length)
{
	return madvise(addr, length, MADV_DONTNEED) ? -errno : 0;
}

static bool by_mincore(const void *page)
{
	unsigned char state;
	return !mincore((char *)page - within_page(page), 1, &state) && state & 1;
}

/*
 * move_pages() that moves nothing tells the node of each page. It is one call for
 * all, and takes the page of zeros for none, which mincore() does not. What it
 * does not find may be page cache that is only not mapped yet, or device memory.
 */
void pinreg_real_resident(void *const *pages, unsigned int count, bool *out)
{
	int status[PINREG_RESIDENT_MAX];
	bool told = !syscall(SYS_move_pages, 0, (unsigned long)count, pages, NULL, status, 0);
	for (unsigned int i = 0; i < count; i++)
		/* ENOSYS, or EPERM of a filter: then mincore() is good enough */
		out[i] = !told || status[i] == -ENOENT ? by_mincore(pages[i]) : status[i] >= 0;
}

uint64_t pinreg_real_huge_size(bool *ask)
{
	char size[32];
	char enabled[128];
	char path[128];
	if (pinreg_sysfs_read(THP "hpage_pmd_size", size, sizeof(size)))
		return 0;
	uint64_t bytes = strtoull(size, NULL, 10);
	/* newer kernels have a switch for each size, which may refer to the common one */
	snprintf(path, sizeof(path), THP "hugepages-%llukB/enabled",
		 (unsigned long long)bytes / 1024);
	if ((pinreg_sysfs_read(path, enabled, sizeof(enabled)) || strstr(enabled, "[inherit]")) &&
	    pinreg_sysfs_read(THP "enabled", enabled, sizeof(enabled)))
		return 0;
	*ask = strstr(enabled, "[madvise]");
	return *ask || strstr(enabled, "[always]") ? bytes : 0;
}

int pinreg_real_advise_huge(void *addr, uint64_t length)
{
	return madvise(addr, length, MADV_HUGEPAGE) ? -errno : 0;
}
