/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arena.c -- addresses at which a test may map and unmap as it likes.
 */
#include "support/arena.h"

#include <errno.h>
#include <sys/mman.h>

#include "support/test.h"

/* What wants any address gets the highest gap that it fits in: this one, above ours. */
#define DECOY ((size_t)4 << 30)

#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)

unsigned char *arena_open(size_t length)
{
	unsigned char *all =
		mmap(NULL, length + DECOY, PROT_NONE, ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (all == MAP_FAILED)
		fail_msg("no %zu bytes of address space", length + DECOY);
	test_ok(munmap(all, length + DECOY));
	return all;
}

void arena_map(void *addr, size_t length, int prot)
{
	if (mmap(addr, length, prot, ANONYMOUS | MAP_FIXED, -1, 0) != addr)
		fail_msg("mmap: errno %d", errno);
}

bool arena_try(void *addr, size_t length)
{
	void *got =
		mmap(addr, length, PROT_READ | PROT_WRITE, ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (got == MAP_FAILED && errno != EEXIST)
		fail_msg("mmap: errno %d", errno);
	return got == addr;
}
