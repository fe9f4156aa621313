/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * runs.h -- memory to look at, and what is expected of the runs it has.
 */
#ifndef PINREG_TESTS_SUPPORT_RUNS_H
#define PINREG_TESTS_SUPPORT_RUNS_H

#include <stddef.h>

#include <pinreg/backing.h>

#define READ_WRITE (PINREG_PROT_READ | PINREG_PROT_WRITE)

/* One expected run; the runs of an array follow each other without a gap. */
struct expected_run {
	size_t length;
	enum pinreg_kind kind;
	unsigned int prot;
	unsigned int flags;
};

/*
 * Look at [addr, addr + length) by the ioctl and by the text, and fail unless
 * both say the same and it is what is expected.
 */
void expect_runs(const void *addr, size_t length, const struct expected_run *runs, size_t count);

/* The same for a range that is one run, which is given back. */
struct pinreg_run expect_one(const void *addr, size_t length, enum pinreg_kind kind,
			     unsigned int prot, unsigned int flags);

/* The kind at addr without any assertion, or -errno: for child processes and threads. */
int kind_at(const void *addr);

/* Runs body in a child process; fails unless it returns 0. */
void in_child(int (*body)(void *argument), void *argument);

size_t page_size(void);

/* How many huge pages of HUGE_SIZE bytes can be had at once. */
#define HUGE_SIZE ((size_t)2 << 20)
size_t free_huge_pages(void);

/* mmap() that fails the case where it fails. */
void *map_or_fail(size_t length, int prot, int flags, int fd);

/* A new file of that length, open for reading and writing; the path goes to path. */
int file_in(const char *folder, const char *name, size_t length, char *path, size_t room);

#endif
