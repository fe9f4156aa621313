/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memlock.c -- a process that may not pin as much as it likes.
 */
#include "support/memlock.h"

#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/test.h"

/* With it there is no limit. */
static void drop_ipc_lock(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	test_ok(syscall(SYS_capget, &header, data));
	data[0].effective &= ~(1u << CAP_IPC_LOCK);
	test_ok(syscall(SYS_capset, &header, data));
}

void memlock_limit(uint64_t bytes)
{
	struct rlimit limit;
	drop_ipc_lock();
	test_ok(getrlimit(RLIMIT_MEMLOCK, &limit));
	limit.rlim_cur = bytes;
	test_ok(setrlimit(RLIMIT_MEMLOCK, &limit));
}
