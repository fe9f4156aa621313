/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library_threads.h -- the threads of the library in this process, as the kernel counts.
 */
#ifndef PINREG_TESTS_SUPPORT_LIBRARY_THREADS_H
#define PINREG_TESTS_SUPPORT_LIBRARY_THREADS_H

struct library_threads {
	unsigned int count;
	unsigned int asleep;  /* of them */
	unsigned long sleeps; /* how often they went to sleep, all of them */
};

struct library_threads library_threads_now(void);

/* Wait until all of them sleep, and have done so for a moment. */
struct library_threads library_threads_settle(void);

#endif
