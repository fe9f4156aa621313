/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sorts.h -- what the regions of a cache have in common.
 */
#ifndef PINREG_CACHE_SORTS_H
#define PINREG_CACHE_SORTS_H

#include "cache/cache.h"

/*
 * The facts of that sort of region, which stay until the cache is closed; NULL: no memory.
 * Takes the lock; never to be called under it, as it allocates.
 */
const struct pinreg_region_facts *pinreg_sort_of(struct pinreg_cache *cache,
						 const struct pinreg_region *region);

/* ASSUMPTIONS: there are no regions any more. */
void pinreg_sorts_free(struct pinreg_cache *cache);

#endif
