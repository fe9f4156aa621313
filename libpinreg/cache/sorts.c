/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sorts.c -- what the regions of a cache have in common is kept once.
 */
#include "cache/sorts.h"

#include <stdlib.h>

const struct pinreg_region_facts *pinreg_sort_of(struct pinreg_cache *cache,
						 const struct pinreg_region *region)
{
	const struct pinreg_region_facts *facts = pinreg_region_facts_of(region);
	struct pinreg_sort *sort;
	pthread_mutex_lock(&cache->lock);
	for (sort = cache->sorts; sort; sort = sort->next)
		if (pinreg_facts_agree(&sort->facts, facts))
			break;
	pthread_mutex_unlock(&cache->lock);
	if (sort)
		return &sort->facts;
	/* two at once make two of them, which does no harm */
	sort = malloc(sizeof(*sort));
	if (!sort)
		return NULL;
	sort->facts = *facts;
	pthread_mutex_lock(&cache->lock);
	sort->next = cache->sorts;
	cache->sorts = sort;
	pthread_mutex_unlock(&cache->lock);
	return &sort->facts;
}

void pinreg_sorts_free(struct pinreg_cache *cache)
{
	for (struct pinreg_sort *sort; (sort = cache->sorts);) {
		cache->sorts = sort->next;
		free(sort);
	}
}
