/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache-fabric_none.c -- built without libfabric: there is nothing to compare with.
 */
#include "cache-side.h"

const struct cache_side *cache_fabric(void)
{
	return NULL;
}
