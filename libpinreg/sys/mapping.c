/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mapping.c -- mapping files and memory.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sys/fork.h"
#include "sys/real.h"

uint64_t pinreg_real_page_size(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

/*
 * At addr in place of what is there, or, where that is NULL, anywhere. A mapping keeps
 * the open file, and so the lease, as a descriptor does: a child must not have it.
 * And what is pinned of private memory a fork would copy at once, all of it.
 */
static int map_for_us(void *addr, uint64_t length, int flags, int fd, void **out)
{
	int status = 0;
	if (addr)
		flags |= MAP_FIXED;
	pinreg_fork_begin();
	void *got = mmap(addr, length, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (got == MAP_FAILED)
		status = -errno;
	else if (madvise(got, length, MADV_DONTFORK) && fd >= 0)
		status = -errno; /* memory of nobody does no harm in a child */
	if (status && got != MAP_FAILED && !addr)
		munmap(got, length);
	pinreg_fork_end();
	if (!status)
		*out = got;
	return status;
}

/* MAP_SYNC is only looked at together with MAP_SHARED_VALIDATE */
static int shared(bool sync)
{
	return sync ? MAP_SHARED_VALIDATE | MAP_SYNC : MAP_SHARED;
}

int pinreg_real_map(int fd, uint64_t length, bool sync, void **out)
{
	return map_for_us(NULL, length, shared(sync), fd, out);
}

int pinreg_real_map_over(int fd, void *addr, uint64_t length, bool sync)
{
	return map_for_us(addr, length, shared(sync), fd, &addr);
}

int pinreg_real_map_nobody(void *addr, uint64_t length)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	return map_for_us(addr, length, flags, -1, &addr);
}

int pinreg_real_map_anonymous(uint64_t length, void **out)
{
	return map_for_us(NULL, length, MAP_PRIVATE | MAP_ANONYMOUS, -1, out);
}

int pinreg_real_map_shared_read_only(uint64_t length, void **out)
{
	int fd = memfd_create("pinreg", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	void *addr = MAP_FAILED;
	if (!ftruncate(fd, (off_t)length))
		addr = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, 0);
	int status = addr == MAP_FAILED ? -errno : 0;
	close(fd);
	if (!status)
		*out = addr;
	return status;
}

int pinreg_real_unmap(void *addr, uint64_t length)
{
	return munmap(addr, length) ? -errno : 0;
}

int pinreg_real_sync_mapping(void *addr, uint64_t length)
{
	uintptr_t within = (uintptr_t)addr % pinreg_real_page_size();
	return msync((char *)addr - within, length + within, MS_SYNC) ? -errno : 0;
}
