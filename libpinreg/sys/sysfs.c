/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sysfs.c -- reading sysfs and procfs: short texts and lists of numbers.
 */
#include "sys/sysfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int pinreg_sysfs_read(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t got = read(fd, text, room - 1);
	int status = got < 0 ? -errno : got ? 0 : -ENODATA;
	close(fd);
	if (!status)
		text[got] = 0;
	return status;
}

void pinreg_sysfs_list(const char *list, cpu_set_t *out)
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
