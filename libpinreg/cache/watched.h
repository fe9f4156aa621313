/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watched.h -- which memory the monitor watches for a region.
 *
 * More than the region, where its mapping goes on: whole blocks. What is watched
 * and what is not are two mappings to the kernel, of which a process may have
 * vm.max_map_count; so many regions that lie near each other make few. It stays watched
 * when the region has gone, until it is unmapped or the application says so: to be told
 * of it once more costs one message, to be asked back could take it from another.
 */
#ifndef PINREG_CACHE_WATCHED_H
#define PINREG_CACHE_WATCHED_H

#include <stdbool.h>
#include <stdint.h>

struct pinreg_cache;

/* A range of addresses. */
struct pinreg_watched {
	uint64_t start, end;
};

/*
 * Watch at least [start, end), and all of the mappings at its ends that is in the same
 * blocks of so many bytes. 0 and what is watched, or the -errno of the kernel.
 */
int pinreg_watched_add(struct pinreg_cache *cache, uint64_t start, uint64_t end, uint64_t block,
		       struct pinreg_watched *out);

/*
 * Watch no page of [start, end) but those of which regions have a part. Under the cache's
 * lock. False: something in the range cannot be watched, so nothing was done.
 * ASSUMPTIONS: no region touches the range itself.
 */
bool pinreg_watched_remove(struct pinreg_cache *cache, uint64_t start, uint64_t end);

/* The same for each mapping of the range that has no region by now. Takes the lock. */
void pinreg_watched_remove_each(struct pinreg_cache *cache, uint64_t start, uint64_t end);

#endif
