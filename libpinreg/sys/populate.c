/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * populate.c -- pages of mappings: which are there, bringing them in, huge
 * ones, and the CPUs that can work on it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pinreg_config.h"
#include "sys/real.h"

#ifndef PINREG_HAVE_MADV_POPULATE
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

#define THP "/sys/kernel/mm/transparent_hugepage/"
#define NODES "/sys/devices/system/node/"

/* How far an address is from the page boundary before it. */
static uintptr_t within_page(const void *addr)
{
	return (uintptr_t)addr % (uintptr_t)sysconf(_SC_PAGESIZE);
}

int pinreg_real_populate(void *addr, uint64_t length, bool write)
{
	uintptr_t within = within_page(addr);
	int status;
	do {
		status = madvise((char *)addr - within, length + within,
				 write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
	} while (status && errno == EINTR);
	return status ? -errno : 0;
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

/* A short text file of sysfs. False: it is not there. */
static bool read_text(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t got = read(fd, text, room - 1);
	close(fd);
	if (got <= 0)
		return false;
	text[got] = 0;
	return true;
}

uint64_t pinreg_real_huge_size(bool *ask)
{
	char size[32];
	char enabled[128];
	char path[128];
	if (!read_text(THP "hpage_pmd_size", size, sizeof(size)))
		return 0;
	uint64_t bytes = strtoull(size, NULL, 10);
	/* newer kernels have a switch for each size, which may refer to the common one */
	snprintf(path, sizeof(path), THP "hugepages-%llukB/enabled",
		 (unsigned long long)bytes / 1024);
	if ((!read_text(path, enabled, sizeof(enabled)) || strstr(enabled, "[inherit]")) &&
	    !read_text(THP "enabled", enabled, sizeof(enabled)))
		return 0;
	*ask = strstr(enabled, "[madvise]");
	return *ask || strstr(enabled, "[always]") ? bytes : 0;
}

int pinreg_real_advise_huge(void *addr, uint64_t length)
{
	return madvise(addr, length, MADV_HUGEPAGE) ? -errno : 0;
}

void pinreg_cpus_parse(const char *list, cpu_set_t *out)
{
	CPU_ZERO(out);
	for (;;) {
		char *end;
		unsigned long first = strtoul(list, &end, 10);
		if (end == list)
			return;
		unsigned long last = *end == '-' ? strtoul(end + 1, &end, 10) : first;
		for (unsigned long i = first; i <= last && i < CPU_SETSIZE; i++)
			CPU_SET(i, out);
		if (*end != ',')
			return;
		list = end + 1;
	}
}

static bool read_list(const char *path, cpu_set_t *out)
{
	char text[4096];
	if (!read_text(path, text, sizeof(text)))
		return false;
	pinreg_cpus_parse(text, out);
	return true;
}

/* Sort the allowed CPUs by node; the node of this thread's CPU comes first. */
static void sort_by_node(const cpu_set_t *allowed, struct pinreg_cpus *out)
{
	cpu_set_t nodes;
	int here = sched_getcpu();
	unsigned int home = 0;
	if (!read_list(NODES "has_cpu", &nodes) || CPU_COUNT(&nodes) < 2)
		return;
	for (unsigned int i = 0; i < CPU_SETSIZE && out->nodes < PINREG_NODES_MAX; i++) {
		cpu_set_t *set = &out->of_node[out->nodes];
		char path[64];
		snprintf(path, sizeof(path), NODES "node%u/cpulist", i);
		if (!CPU_ISSET(i, &nodes) || !read_list(path, set))
			continue;
		CPU_AND(set, set, allowed);
		if (!CPU_COUNT(set))
			continue;
		if (here >= 0 && CPU_ISSET((unsigned int)here, set))
			home = out->nodes;
		out->nodes++;
	}
	cpu_set_t first = out->of_node[0];
	out->of_node[0] = out->of_node[home];
	out->of_node[home] = first;
}

void pinreg_real_cpus(struct pinreg_cpus *out)
{
	cpu_set_t allowed;
	out->nodes = 0;
	if (sched_getaffinity(0, sizeof(allowed), &allowed)) {
		/* more CPUs than a set of the usual size has room for */
		long online = sysconf(_SC_NPROCESSORS_ONLN);
		out->count = online > 0 ? (unsigned int)online : 1;
		return;
	}
	out->count = (unsigned int)CPU_COUNT(&allowed);
	sort_by_node(&allowed, out);
}

int pinreg_real_run_on(const cpu_set_t *cpus)
{
	return sched_setaffinity(0, sizeof(*cpus), cpus) ? -errno : 0;
}
