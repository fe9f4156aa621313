/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plain.c -- what happens without the library: ibv_reg_mr() on a file's mapping.
 */
#include "plain.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device.h"
#include "say.h"

static int try_mapping(const char *path, void *addr, size_t length)
{
	struct ibv_context *verbs = device_first();
	struct ibv_pd *pd = verbs ? ibv_alloc_pd(verbs) : NULL;
	struct ibv_mr *mr;
	int error;

	if (!pd) {
		complain("no RDMA device");
		return 1;
	}
	mr = ibv_reg_mr(pd, addr, length,
			IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ);
	error = errno;
	if (mr) {
		say("ibv_reg_mr(%s, %zu bytes): registered, rkey 0x%x", path, length, mr->rkey);
		ibv_dereg_mr(mr);
	} else {
		say("ibv_reg_mr(%s, %zu bytes): %s (errno %d)", path, length, strerror(error),
		    error);
	}
	ibv_dealloc_pd(pd);
	return mr ? 0 : 1;
}

int plain_try(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat file;
	void *addr;
	int ret;

	if (fd < 0 || fstat(fd, &file) != 0 || file.st_size == 0) {
		complain("%s: %s", path, fd >= 0 ? "empty" : strerror(errno));
		return 1;
	}
	addr = mmap(NULL, (size_t)file.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (addr == MAP_FAILED) {
		complain("%s: mmap: %s", path, strerror(errno));
		return 1;
	}
	ret = try_mapping(path, addr, (size_t)file.st_size);
	munmap(addr, (size_t)file.st_size);
	return ret;
}
