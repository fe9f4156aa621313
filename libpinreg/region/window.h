/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * window.h -- a memory window on a region. A fence ends its key; the handle stays
 * until its owner closes it.
 */
#ifndef PINREG_REGION_WINDOW_H
#define PINREG_REGION_WINDOW_H

#include <pinreg/window.h>

#include "region/region.h"

struct pinreg_window {
	/* constant */
	struct pinreg_whole_region *region;
	unsigned int access;
	uint32_t rkey;
	uint64_t generation;
	/* under the set's lock */
	struct ibv_mw *mw; /* NULL: its key is dead */
	struct pinreg_window *next;
	struct pinreg_window **link; /* what points to this window */
};

#endif
