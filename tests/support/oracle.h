/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * oracle.h -- what a plan says of memory, held against what the kernel does.
 */
#ifndef PINREG_TESTS_SUPPORT_ORACLE_H
#define PINREG_TESTS_SUPPORT_ORACLE_H

#include <pinreg/pinreg.h>

#include "support/memories.h"

#define ORACLE_RW 1u
#define ORACLE_RO 2u
#define ORACLE_BOTH 3u

/*
 * Where plan and kernel are known to say different things. It has to be so: one
 * that is not seen fails the case.
 */
struct oracle_exception {
	const char *row;
	unsigned int access; /* ORACLE_* */
	const char *kernels; /* names of the lab's, between spaces: " 6.1 6.12 "; NULL: all */
	const char *why;
};

/*
 * For each row, each access and some parts of it: whether the plan says that it
 * can be pinned must be whether a plain registration succeeds, and registering
 * must do what the plan says. Fails after the last row if there was any doubt.
 */
void oracle_rows(const struct memory_row *rows, size_t count,
		 const struct oracle_exception *exceptions, size_t exceptions_count);

/* The same for one piece of memory that is open. */
void oracle_memory(const char *name, const struct memory *memory,
		   const struct oracle_exception *exceptions, size_t exceptions_count);

/* After the last: prints the counts, and fails the case if something was wrong. */
void oracle_end(void);

/* Does the kernel register it plainly? 0 or -errno. */
int oracle_kernel(void *addr, size_t length, unsigned int access);

/* Is the guest's kernel one of these names? */
bool oracle_kernel_is(const char *kernels);

#endif
