/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * populate.h -- touching cold memory in parallel before the kernel pins it.
 *
 * A pin of memory that was never touched makes one page after the other, on one
 * CPU. Several CPUs making huge pages are several times faster.
 */
#ifndef PINREG_REGION_POPULATE_H
#define PINREG_REGION_POPULATE_H

#include <stdbool.h>
#include <stdint.h>

#include <pinreg/plan.h>

#include "plan/device.h"

/* Below this nothing is done, not even looked at. Bytes. */
#define PINREG_POPULATE_SMALLEST (4u << 20)

struct pinreg_populate {
	bool write;	      /* the mapping may be written, whatever peers may do */
	bool huge;	      /* private anonymous memory: may have huge pages */
	unsigned int threads; /* at most; 0: the CPUs that this thread may run on */
	/* called by the calling thread only; not at all where nothing is cold */
	pinreg_progress_function *progress;
	void *context;
};

/*
 * Touch [addr, addr + length) if it is large and cold; else do nothing, at
 * next to no cost. What cannot be touched is left to the registration, which
 * says why. 0, or -ECANCELED as the progress function asked.
 */
int pinreg_populate_range(struct pinreg_device *device, void *addr, uint64_t length,
			  const struct pinreg_populate *how);

#endif
