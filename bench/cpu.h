/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cpu.h -- where a thread runs.
 */
#ifndef PINREG_BENCH_CPU_H
#define PINREG_BENCH_CPU_H

#include <sched.h>

/*
 * This thread keeps to the CPU of that number, of those it may use; with fewer it roams.
 * Where it is allowed to (root), it has the CPU before all others on the machine.
 */
static inline void bench_run_on_cpu(unsigned int number)
{
	const struct sched_param first = { .sched_priority = 1 };
	cpu_set_t may, one;
	sched_setscheduler(0, SCHED_FIFO, &first);
	if (sched_getaffinity(0, sizeof(may), &may))
		return;
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &may) || number--)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		return;
	}
}

#endif
