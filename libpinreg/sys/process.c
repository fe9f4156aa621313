/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * process.c -- who a process is, for records that outlive it, and its signals.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sys/real.h"
#include "sys/sysfs.h"

pid_t pinreg_real_process_id(void)
{
	return getpid();
}

/* The field of that number (the state has 3), in a line of /proc/PID/stat. */
static const char *field_of(const char *text, int number)
{
	/* the second is the name, which may have blanks and brackets in it */
	const char *at = strrchr(text, ')');
	for (int i = 2; at && i < number; i++)
		at = strchr(at + 1, ' ');
	return at ? at + 1 : NULL;
}

int pinreg_real_process_start(pid_t process, uint64_t *ticks)
{
	char path[64], text[1024];
	snprintf(path, sizeof(path), "/proc/%d/stat", process);
	int status = pinreg_sysfs_read(path, text, sizeof(text));
	if (status)
		return status == -ENOENT ? -ESRCH : status;
	const char *state = field_of(text, 3);
	const char *threads = field_of(text, 20);
	const char *start = field_of(text, 22);
	if (!start)
		return -EIO;
	/*
	 * One that has ended and is not waited for has given everything back,
	 * unless only its first thread has ended.
	 */
	if ((*state == 'Z' || *state == 'X') && strtoul(threads, NULL, 10) < 2)
		return -ESRCH;
	*ticks = strtoull(start, NULL, 10);
	return 0;
}

int pinreg_real_process_namespace(uint64_t *out)
{
	struct stat look;
	if (stat("/proc/self/ns/pid", &look))
		return -errno;
	*out = look.st_ino;
	return 0;
}

int pinreg_real_boot_id(char out[PINREG_BOOT_ID])
{
	int status = pinreg_sysfs_read("/proc/sys/kernel/random/boot_id", out, PINREG_BOOT_ID);
	return !status && strlen(out) != PINREG_BOOT_ID - 1 ? -EIO : status;
}

uid_t pinreg_real_user_id(void)
{
	return geteuid();
}

int pinreg_real_random(void *out, size_t length)
{
	ssize_t got;
	do
		got = getrandom(out, length, 0);
	while (got < 0 && errno == EINTR); /* only before the machine has had any */
	if (got < 0)
		return -errno;
	return (size_t)got == length ? 0 : -EIO;
}
