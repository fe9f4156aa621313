/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sysfs.h -- reading sysfs and procfs: short texts and lists of numbers.
 */
#ifndef PINREG_SYS_SYSFS_H
#define PINREG_SYS_SYSFS_H

#include <sched.h>
#include <stddef.h>

/* The content of a short file, as a string, cut where the room ends. 0, or -errno. */
int pinreg_sysfs_read(const char *path, char *text, size_t room);

/* The numbers of a list as "0-3,8,10-11". What is no list is empty. */
void pinreg_sysfs_list(const char *text, cpu_set_t *out);

#endif
