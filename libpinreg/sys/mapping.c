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
 * A mapping keeps the open file, and so the lease, as a descriptor does: a child must
 * not have it. To be called between pinreg_fork_begin() and _end().
 */
static int keep_from_children(void *addr, uint64_t length)
{
	if (!madvise(addr, length, MADV_DONTFORK))
		return 0;
	int status = -errno;
	munmap(addr, length);
	return status;
}

int pinreg_real_map(int fd, uint64_t length, bool sync, void **out)
{
	/* MAP_SYNC is only looked at together with MAP_SHARED_VALIDATE */
	int flags = sync ? MAP_SHARED_VALIDATE | MAP_SYNC : MAP_SHARED;
	pinreg_fork_begin();
	void *addr = mmap(NULL, length, PROT_READ | PROT_WRITE, flags, fd, 0);
	int status = addr == MAP_FAILED ? -errno : keep_from_children(addr, length);
	pinreg_fork_end();
	if (!status)
		*out = addr;
	return status;
}

int pinreg_real_map_anonymous(uint64_t length, void **out)
{
	void *addr = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (addr == MAP_FAILED)
		return -errno;
	*out = addr;
	return 0;
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
