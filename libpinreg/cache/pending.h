/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pending.h -- registrations under way, on the stacks of those who make them.
 *
 * All of this under the cache's lock.
 */
#ifndef PINREG_CACHE_PENDING_H
#define PINREG_CACHE_PENDING_H

#include "cache/cache.h"

struct pinreg_pending {
	uint64_t start, end;
	unsigned int access; /* that it will have at least */
	bool spoiled;	     /* its memory has changed meanwhile: not to be kept */
	uint32_t slot;	     /* it is counted in the cache's limits, and kept there; 0: no room */
	uint64_t pinned;     /* that were counted, bytes */
	struct pinreg_pending *next;
	struct pinreg_pending **link;
};

void pinreg_pending_list(struct pinreg_cache *cache, struct pinreg_pending *pending);

/* Those who wait for it look again. */
void pinreg_pending_unlist(struct pinreg_cache *cache, struct pinreg_pending *pending);

/* Does somebody register already what is wanted? */
bool pinreg_pending_covers(const struct pinreg_cache *cache, const struct pinreg_want *want);

/*
 * Have a slot, if there is room or can be made; lets the lock go while it makes room.
 * optional: not at the cost of idle regions that only take bytes.
 */
void pinreg_pending_reserve(struct pinreg_cache *cache, struct pinreg_pending *pending,
			    bool optional);
void pinreg_pending_unreserve(struct pinreg_cache *cache, struct pinreg_pending *pending);

#endif
