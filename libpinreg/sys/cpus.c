/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cpus.c -- the CPUs that a thread may run on, and their NUMA nodes.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "sys/real.h"
#include "sys/sysfs.h"

#define NODES "/sys/devices/system/node/"

static bool read_list(const char *path, cpu_set_t *out)
{
	char text[4096];
	if (pinreg_sysfs_read(path, text, sizeof(text)))
		return false;
	pinreg_sysfs_list(text, out);
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

unsigned int pinreg_real_cpus_online(void)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	return online > 0 ? (unsigned int)online : 1;
}

void pinreg_real_cpus(struct pinreg_cpus *out)
{
	cpu_set_t allowed;
	out->nodes = 0;
	if (sched_getaffinity(0, sizeof(allowed), &allowed)) {
		/* more CPUs than a set of the usual size has room for */
		out->count = pinreg_real_cpus_online();
		return;
	}
	out->count = (unsigned int)CPU_COUNT(&allowed);
	sort_by_node(&allowed, out);
}

int pinreg_real_run_on(const cpu_set_t *cpus)
{
	return sched_setaffinity(0, sizeof(*cpus), cpus) ? -errno : 0;
}
