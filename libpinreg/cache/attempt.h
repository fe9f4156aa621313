/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attempt.h -- the ways to register what is not there, outside of the cache's lock.
 */
#ifndef PINREG_CACHE_ATTEMPT_H
#define PINREG_CACHE_ATTEMPT_H

#include "cache/cache.h"
#include "cache/pending.h"
#include "cache/watched.h"

/* A registration, and what becomes of it. */
struct pinreg_attempt {
	struct pinreg_cache *cache;
	struct pinreg_pending pending; /* listed */
	bool alone;		       /* no region touched the range when it was listed */
	uint64_t published;	       /* the cache's, at that time */
	uint64_t ended;		       /* the cache's, before it was tried */
	bool keep;		       /* it may be kept */
	unsigned int access;	       /* that it was registered for */
	uint64_t told;		       /* the cache's, when it was listed */
	uint64_t block;		       /* to watch in such blocks */
	/* one anonymous mapping, all of it watched since before it was looked at; or both 0 */
	struct pinreg_watched plain;
	struct pinreg_region *made;
};

/*
 * Register the listed range for access, and with the cache's own rights too where the
 * mapping allows them. 0, or -errno with *why.
 */
int pinreg_attempt_wide(struct pinreg_attempt *attempt, unsigned int access, bool single_kind,
			struct pinreg_why *why);

/* The same; where it is for want of room, idle regions go, more of them each time. */
int pinreg_attempt_at_any_cost(struct pinreg_attempt *attempt, unsigned int access,
			       struct pinreg_why *why);

/*
 * The range is of a mapping that is known: register it as what was registered there before,
 * into a slot. NULL: that cannot be. facts: as found when the range was listed, so what was
 * heard of since then is in spoiled; or NULL.
 */
struct pinreg_region *pinreg_attempt_as_before(struct pinreg_attempt *attempt,
					       const struct pinreg_region_facts *facts);

#endif
