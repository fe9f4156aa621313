/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cpus.h -- the lists of CPUs that sysfs writes.
 */
#ifndef PINREG_SYS_CPUS_H
#define PINREG_SYS_CPUS_H

#include <sched.h>

/* "0-3,8,10-11"; what is no list is empty. */
void pinreg_cpus_parse(const char *list, cpu_set_t *out);

#endif
