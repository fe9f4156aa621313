/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache_model_list.h -- the list of a cache_model.
 */
#ifndef PINREG_TESTS_SUPPORT_CACHE_MODEL_LIST_H
#define PINREG_TESTS_SUPPORT_CACHE_MODEL_LIST_H

#include "support/cache_model.h"

#define MODEL_FOR_EACH(region, model)                                                              \
	for (struct model_region *region = (model)->regions;                                       \
	     region < (model)->regions + MODEL_REGIONS; region++)                                  \
		if (region->state != MODEL_FREE)

bool model_covers(const struct model_region *region, uint64_t start, uint64_t end,
		  unsigned int access);

/* One that a request must be answered with, or NULL. */
const struct model_region *model_find_kept(struct cache_model *model, uint64_t start, uint64_t end,
					   unsigned int access);

/* Take up what was deregistered, and what room was made with: only what was used longest ago. */
void model_refresh(struct cache_model *model);

/* Given to nobody any more: what touches the range. */
void model_leave_range(struct cache_model *model, uint64_t start, uint64_t end);

/* So long that the cache takes emptied memory for empty. */
void model_wait_long(void);

void model_expect(const char *what, uint64_t found, uint64_t expected);

#endif
