/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * torture.h -- threads that map memory at the same addresses again and again, and get
 * regions of it from a cache: does any of them lead to what was there before?
 *
 * The addresses are windows side by side, so that regions of one thread are merged with
 * those of another. A window is one thread's from its mapping to its unmapping. The next
 * one has it either when munmap() has returned to the one before him, or (strict) as soon
 * as the kernel lets him map there, which is earlier.
 */
#ifndef PINREG_TESTS_SUPPORT_TORTURE_H
#define PINREG_TESTS_SUPPORT_TORTURE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <pinreg/cache.h>
#include <pinreg/pinreg.h>

#define TORTURE_WINDOWS 12u
#define TORTURE_PAGES 8u /* of a window */
#define TORTURE_GIFTS 16u

struct torture {
	/* set by the caller */
	struct pinreg_cache *cache;
	unsigned int threads;
	unsigned int seconds;
	uint64_t seed;
	bool strict;
	bool manual; /* the cache is told before memory goes */
	/* often by madvise(), after which a cache keeps nothing there for some time; else now and
	 * then */
	bool empties;
	/* of each thread: what it moves data with; may be NULL */
	void *(*begin)(void);
	void (*end)(void *mover);
	/* with contents that were never there before */
	void (*fill)(void *addr, size_t length, uint64_t number);
	/* do they lead to what is in the range? May write there, if access lets it. */
	bool (*leads)(void *mover, const struct pinreg_keys *keys, void *addr, size_t length,
		      unsigned int access, const char **wrong);
	/* a part of the memory is gone: do they work still? NULL: nobody can tell */
	bool (*alive)(void *mover, const struct pinreg_keys *keys, unsigned int access);

	/* what came of it */
	_Atomic(bool) failed;
	char failure[256]; /* of who set failed first */
	_Atomic(uint64_t) maps, gets, torn;

	/* its own */
	_Atomic(bool) stop;
	_Atomic(bool) taken[TORTURE_WINDOWS];
	_Atomic(uint64_t) fills;
	_Atomic(unsigned int) next_thread;
	unsigned char *arena;
	/* regions that another thread shall put */
	pthread_mutex_t lock;
	struct pinreg_region *gifts[TORTURE_GIFTS];
	unsigned int gift_count;
};

/* Until the time is up or something is wrong. All regions are put afterwards. */
void torture_run(struct torture *torture);

#endif
