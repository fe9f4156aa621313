/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache-ucx_none.c -- built without UCX: there is nothing to compare with.
 */
#include "cache-side.h"

const struct cache_side *cache_ucx(void)
{
	return NULL;
}
