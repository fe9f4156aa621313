/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * backing.h -- runs of kinds behind a range of memory.
 */
#ifndef PINREG_PLAN_BACKING_H
#define PINREG_PLAN_BACKING_H

#include <pinreg/backing.h>

#include "sys/sys.h"

struct pinreg_backing {
	size_t count;
	size_t room;
	struct pinreg_run *runs;
};

/*
 * Fill in an empty (all zero) backing. ASSUMPTIONS: length > 0, no wrap.
 * 0, -ENOMEM, or the -errno of reading the map; then nothing is left in it.
 * Neighbouring runs that differ in nothing but address (and, for a file, whose
 * offsets continue) are one.
 */
int pinreg_backing_look(const struct pinreg_sys *sys, uint64_t addr, uint64_t length,
			struct pinreg_backing *out);

/* Give back what look() allocated; the struct itself stays. */
void pinreg_backing_clear(struct pinreg_backing *backing);

#endif
