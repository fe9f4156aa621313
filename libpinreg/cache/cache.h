/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache.h -- what a cache is made of, and the parts of its work.
 *
 * A slot goes this way, and only under the lock, but that anybody reads its state:
 *
 *   free -> LIVE -> LEAVING -> dead -> free
 *
 * LIVE: in the index and the LRU; given to whoever asks. LEAVING: out of both; those who
 * hold it go on, nobody new comes. dead: nobody holds it; who finds it so deregisters it
 * outside of the lock. That nobody holds it is found out as in holds.h: the state is
 * LEAVING before the barrier, the sum is taken after it; where it is not 0, the last of
 * those who hold sees LEAVING when he has counted himself out, and takes the sum again.
 *
 * Lock order: the lock of a cache is taken under no lock of the library, and none is taken
 * under it. Under it nothing is freed, unmapped or deregistered, as all of this may give
 * memory of the heap back to the kernel, which then makes the caller wait until the
 * monitor has read of it; and the monitor takes the lock. It holds it while it has the
 * messages read already that it works on, never while it reads.
 */
#ifndef PINREG_CACHE_CACHE_H
#define PINREG_CACHE_CACHE_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <pinreg/cache.h>

#include "cache/hints.h"
#include "cache/holds.h"
#include "cache/index.h"
#include "cache/known.h"
#include "cache/lru.h"
#include "cache/monitor.h"
#include "cache/slots.h"
#include "region/region.h"

/* What cached regions of one sort share. They stay until the cache is closed. */
struct pinreg_sort {
	struct pinreg_region_facts facts;
	struct pinreg_sort *next;
};

/* Bits of care: the monitor reads messages and has not told of all; always, with strict. */
#define PINREG_CARE_CHANGING 1u
#define PINREG_CARE_STRICT 2u

/* What the domain does for its caches. */
struct pinreg_cache_home {
	void *context;
	struct pinreg_region_place place; /* of what is on no leased file */
	_Atomic(unsigned int) *caches;	  /* how many it has */
	/* does a part of the range belong to a leased file? */
	bool (*on_file)(void *context, uint64_t addr, uint64_t length);
	/* as pinreg_region_register() */
	int (*on_file_register)(void *context, void *addr, uint64_t length,
				const struct pinreg_region_opts *opts, struct pinreg_why *why,
				struct pinreg_region **out);
};

struct pinreg_pending;

/* A region that is being deregistered, on the stack of who does it. */
struct pinreg_ending {
	uint64_t number; /* in the order in which they began */
	struct pinreg_ending *next;
	struct pinreg_ending **link;
};

struct pinreg_cache {
	/* What every hit reads. The two atomics are written rarely. */
	struct pinreg_slots slots;
	struct pinreg_holds *holds;
	struct pinreg_hints hints;
	struct pinreg_device *device;
	unsigned int epoch; /* the device's */
	/* not 0: a hit is not made without a closer look */
	_Atomic(uint32_t) care;
	_Atomic(uint32_t) now; /* the time of the LRU: registrations so far */

	/* constant */
	alignas(64) struct pinreg_cache_home home;
	struct pinreg_cache_opts opts;
	enum pinreg_monitor monitor; /* in effect */
	struct pinreg_why monitor_why;
	struct pinreg_cache_monitor watcher; /* where monitor is UFFD */
	pthread_t reaper;
	bool reaping; /* it was started */

	pthread_mutex_t lock;
	/* all of this under the lock */
	alignas(64) pthread_cond_t settled; /* what changes is told, or somebody is not pending */
	pthread_cond_t died;		    /* there is work for the reaper, or stop */
	bool dying; /* there may be dead slots that nobody else deregisters */
	bool stop;
	struct pinreg_index index;
	struct pinreg_lru lru;
	struct pinreg_pending *pending; /* pending.h */
	struct pinreg_known known;
	uint64_t told; /* how often memory was told to have changed */
	struct pinreg_sort *sorts;
	uint32_t leaving; /* slots since the last barrier, through links[].left; 0: none */
	uint32_t dead;	  /* slots to be deregistered, the same way */
	struct pinreg_ending *endings; /* deregistered just now, outside of the lock */
	uint64_t begun;		       /* so many endings there have been */
	uint64_t ended;		       /* and so many were successful */
	uint64_t published;	       /* regions that came into the index */
	uint64_t count;		       /* slots and pending registrations that want one */
	uint64_t bytes;		       /* of both */
	uint64_t pinned;	       /* of both */
	uint64_t singles;	       /* regions given out that are in no slot */
	uint64_t unkept;	       /* so many there have been */
	uint64_t found;		       /* hits that were made under the lock */
	uint64_t misses;
	uint64_t evictions;
	uint64_t invalidations;
	uint64_t merges;
};

/* What is asked for. */
struct pinreg_want {
	uint64_t start, end;
	unsigned int access;
};

/*
 * Rights that change what a transfer does: of a region that has them nothing may be made
 * but what was asked for with them.
 */
#define PINREG_ACCESS_EXACT ((unsigned int)(IBV_ACCESS_RELAXED_ORDERING | IBV_ACCESS_ZERO_BASED))

/* May who wants these rights be given a region with those? */
static inline bool pinreg_access_fits(unsigned int have, unsigned int want)
{
	return (have & (want | PINREG_ACCESS_EXACT)) == want;
}

/* ---- hit.c: what is there ---- */

/* A region in the index that fits, held for the caller, under the lock; 0: none. */
uint32_t pinreg_cache_find(struct pinreg_cache *cache, const struct pinreg_want *want);

/* ---- miss.c: what is not ---- */

/*
 * Wait until the cache is settled, look once more, register. region: held for the caller.
 * As pinreg_cache_get().
 */
int pinreg_cache_miss(struct pinreg_cache *cache, const struct pinreg_want *want,
		      struct pinreg_why *why, struct pinreg_region **region);

/* Deregister what was not kept. 0, or -errno and it is the caller's still. */
int pinreg_cache_end_single(struct pinreg_cache *cache, struct pinreg_region *region);

/* ---- merge.c ---- */

/* Make the range larger by regions in and beside it. True: none touches it. Under the lock. */
bool pinreg_cache_merge(const struct pinreg_cache *cache, struct pinreg_pending *pending);

/* ---- leave.c: how slots end; under the lock, where nothing else is said ---- */

/* It was never LIVE, and is held: LEAVING. */
void pinreg_cache_spoil(struct pinreg_cache *cache, uint32_t slot);

/* LIVE -> LEAVING. settle must follow before the lock is let go. */
void pinreg_cache_retire(struct pinreg_cache *cache, uint32_t slot);

/* Of those that were retired: who holds them? What nobody holds is dead now. */
void pinreg_cache_settle(struct pinreg_cache *cache);

/* A holder of a LEAVING slot has counted himself out. Takes the lock. */
void pinreg_cache_leave(struct pinreg_cache *cache, uint32_t slot);

/*
 * Retire and settle up to so many idle regions, those that were used longest ago first.
 * How many there were.
 */
uint64_t pinreg_cache_evict(struct pinreg_cache *cache, uint64_t most);

/*
 * Memory has changed, or will: retire and settle what touches it. How many there were.
 * A registration of it that is under way will not be kept.
 */
uint64_t pinreg_cache_retire_range(struct pinreg_cache *cache, uint64_t start, uint64_t end);

/*
 * Deregister what is dead. Lets the lock go meanwhile. 0 or the first -errno; then what
 * failed is dead still.
 */
int pinreg_cache_reap(struct pinreg_cache *cache);

/*
 * Wait for one that others deregister just now. since: ended when it was looked at last,
 * and now. False: nothing was ended since, and nobody is at it. Lets the lock go meanwhile.
 */
bool pinreg_cache_others_end(struct pinreg_cache *cache, uint64_t *since);

/* Wait for those that are under way now, not for later ones. Lets the lock go meanwhile. */
void pinreg_cache_endings_wait(struct pinreg_cache *cache);

/* The thread that does so for the monitor. */
void *pinreg_cache_reaper(void *cache);

/* ---- cache.c ---- */

/* As pinreg_cache_open(). */
int pinreg_cache_open_at(const struct pinreg_cache_home *home, const struct pinreg_cache_opts *opts,
			 struct pinreg_why *why, struct pinreg_cache **out);

#endif
