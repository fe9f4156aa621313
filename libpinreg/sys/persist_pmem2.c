/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * persist_pmem2.c -- durability with libpmem2: CPU cache flushes where MAP_SYNC
 * says that they are enough, msync elsewhere.
 */
#include <errno.h>
#include <libpmem2.h>
#include <stdlib.h>

#include "sys/real.h"

struct pinreg_persist {
	struct pmem2_source *source;
	struct pmem2_map *map;
	pmem2_persist_fn flush; /* NULL: msync */
};

static int error_of_pmem2(int status)
{
	/* its own codes lie below -100000 and have no errno */
	return status > -100000 ? status : -EINVAL;
}

int pinreg_real_persist_open(int fd, void *addr, uint64_t length, bool map_sync,
			     struct pinreg_persist **out)
{
	struct pinreg_persist *persist = calloc(1, sizeof(*persist));
	if (!persist)
		return -ENOMEM;
	if (!map_sync) {
		*out = persist;
		return 0;
	}
	int status = pmem2_source_from_fd(&persist->source, fd);
	if (!status)
		status = pmem2_map_from_existing(&persist->map, persist->source, addr, length,
						 PMEM2_GRANULARITY_CACHE_LINE);
	if (status) {
		pinreg_real_persist_close(persist);
		return error_of_pmem2(status);
	}
	persist->flush = pmem2_get_persist_fn(persist->map);
	*out = persist;
	return 0;
}

int pinreg_real_persist_range(struct pinreg_persist *persist, void *addr, uint64_t length)
{
	if (persist->flush) {
		persist->flush(addr, length);
		return 0;
	}
	return pinreg_real_sync_mapping(addr, length);
}

void pinreg_real_persist_close(struct pinreg_persist *persist)
{
	if (persist->map)
		pmem2_map_delete(&persist->map); /* of a foreign mapping: does not unmap */
	if (persist->source)
		pmem2_source_delete(&persist->source);
	free(persist);
}
