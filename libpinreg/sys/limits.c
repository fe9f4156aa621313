/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * limits.c -- how much this process may pin and map, and has pinned and mapped.
 */
#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/maps_descriptor.h"
#include "sys/real.h"
#include "sys/sysfs.h"

static bool has_ipc_lock(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
	if (syscall(SYS_capget, &header, data))
		return false;
	return data[0].effective & (1u << CAP_IPC_LOCK);
}

/* VmPin of /proc/self/status, in bytes. Older kernels without it: 0. */
static int read_pinned(uint64_t *out)
{
	char text[4096];
	int status = pinreg_sysfs_read("/proc/self/status", text, sizeof(text));
	if (status)
		return status;
	const char *line = strstr(text, "\nVmPin:");
	*out = line ? strtoull(line + strlen("\nVmPin:"), NULL, 10) * 1024 : 0;
	return 0;
}

int pinreg_real_memlock(struct pinreg_memlock *out)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_MEMLOCK, &limit))
		return -errno;
	if (limit.rlim_cur == RLIM_INFINITY || has_ipc_lock()) {
		*out = (struct pinreg_memlock){ .limit = UINT64_MAX };
		return 0;
	}
	struct pinreg_memlock lock = { .limit = limit.rlim_cur };
	int status = read_pinned(&lock.used);
	if (!status)
		*out = lock;
	return status;
}

/* Lines of the map, without memory for it: there may be none just then. */
static int count_mappings(uint64_t *out)
{
	char text[4096];
	ssize_t got;
	int fd = pinreg_maps_open();
	if (fd < 0)
		return fd;
	*out = 0;
	while ((got = read(fd, text, sizeof(text))) > 0 || (got < 0 && errno == EINTR))
		for (ssize_t i = 0; i < got; i++)
			*out += text[i] == '\n';
	int status = got < 0 ? -errno : 0;
	close(fd);
	return status;
}

int pinreg_real_map_count(uint64_t *used, uint64_t *limit)
{
	char text[32];
	int status = pinreg_sysfs_read("/proc/sys/vm/max_map_count", text, sizeof(text));
	if (status)
		return status;
	*limit = strtoull(text, NULL, 10);
	return count_mappings(used);
}
