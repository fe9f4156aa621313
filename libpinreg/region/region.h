/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * region.h -- one registration inside the library.
 *
 * What every region has is struct pinreg_region, one cache line. A region that
 * pinreg_region_make() makes is a whole one: it may be fenced, and has more. Where it
 * cannot be, all the rest is the same for many regions, and it may be moved to a place
 * of 64 bytes: then it is a cache's, which others can neither end nor bind windows to.
 */
#ifndef PINREG_REGION_REGION_H
#define PINREG_REGION_REGION_H

#include <stdatomic.h>
#include <stdbool.h>

#include <pinreg/region.h>

#include "plan/planner.h"
#include "region/inside.h"
#include "region/set.h"
#include "region/shadow.h"

/* What moved regions of one sort share; constant once a region is linked. */
struct pinreg_region_facts {
	struct pinreg_region_set *set;
	struct pinreg_device *device;
	struct pinreg_decision decision; /* what was decided and done; numbers: of one of them */
	uint64_t page_size;
	uint64_t random; /* of ids, never 0 */
};

struct pinreg_region {
	const struct pinreg_region_facts *facts;
	/* of a whole one under set->lock: NULL while fenced; with windows it stays */
	struct ibv_mr *mr;
	/*
	 * The keys that are given out. Written before others know the region, then only
	 * under set->lock with the gate of inside shut: who is inside reads without the
	 * lock, and looks at the gate before and after.
	 */
	_Atomic(uint64_t) keys; /* lkey in the upper half, rkey in the lower */
	uint64_t addr;		/* what work requests address; constant once linked */
	uint64_t length;
	/* of the keys; 0: there are none, it reaches behind the end of its file */
	_Atomic(uint64_t) generation;
	/* of a cache's, else 0; the upper half is the same as long as the region lives */
	_Atomic(uint64_t) state;
	_Atomic(uint32_t) stamp; /* of a cache's: when it was used last */
	uint32_t number;	 /* of a cache's: its slot; 0: it is a whole one */
};

_Static_assert(sizeof(struct pinreg_region) == PINREG_CACHE_LINE, "a cache has a million of them");

struct pinreg_whole_region {
	struct pinreg_region core;
	struct pinreg_inside *inside; /* the set's; NULL where it never is fenced */
	struct pinreg_region_facts own;
	struct pinreg_persist *persist; /* the file's; NULL: nothing is durable here */
	struct pinreg_shadow *shadow;	/* of STAGED, else NULL */
	int dmabuf;			/* of DMABUF, our own descriptor, else -1 */
	/* under set->lock */
	bool stale; /* mr stayed, and the memory may have changed since */
	struct pinreg_window *windows;
	struct pinreg_whole_region *next;
	struct pinreg_whole_region **link; /* what points to this region */
};

/* Where its memory is in this process; of a dma-buf: in it. ASSUMPTIONS: linked. */
static inline uint64_t pinreg_region_home(const struct pinreg_region *region)
{
	return region->number ? region->addr : region->facts->decision.plan.addr;
}

/* NULL: it was moved. */
static inline struct pinreg_whole_region *pinreg_region_whole(struct pinreg_region *region)
{
	return region->number ? NULL : (struct pinreg_whole_region *)region;
}

/* What a region is to be made on. */
struct pinreg_region_place {
	struct pinreg_device *device;
	struct pinreg_region_set *set;
	struct pinreg_persist *persist; /* or NULL */
	uint64_t st_dev;		/* of a prepared file, else 0 */
};

/* As pinreg_region_register(); *why (may be NULL) is always filled in. */
int pinreg_region_make(const struct pinreg_region_place *place, void *addr, uint64_t length,
		       const struct pinreg_region_opts *opts, struct pinreg_why *why,
		       struct pinreg_region **out);

/* As pinreg_region_register_dmabuf(). */
int pinreg_region_make_dmabuf(const struct pinreg_region_place *place, int fd, uint64_t offset,
			      uint64_t length, const struct pinreg_region_opts *opts,
			      struct pinreg_why *why, struct pinreg_region **out);

/* The plan of a dma-buf, and a descriptor of our own. 0, or -errno as the plan says. */
int pinreg_region_plan_dmabuf(struct pinreg_whole_region *region, int fd, uint64_t offset,
			      uint64_t length, const struct pinreg_region_opts *opts);

/*
 * Before anything is registered, and outside of every lock: touch cold memory,
 * or make the shadow. 0, or -errno with *why.
 */
int pinreg_region_warm(struct pinreg_whole_region *region, struct pinreg_why *why);

/* Give the keys out as they are now, if it has any. Under set->lock. */
void pinreg_region_publish(struct pinreg_whole_region *region);

/* What is given out. ASSUMPTIONS: linked. */
static inline struct pinreg_keys pinreg_region_published(const struct pinreg_region *region)
{
	uint64_t keys = atomic_load(&region->keys);
	return (struct pinreg_keys){
		.size = sizeof(struct pinreg_keys),
		.lkey = (uint32_t)(keys >> 32),
		.rkey = (uint32_t)keys,
		.addr = region->addr,
		.length = region->length,
		.generation = atomic_load(&region->generation),
	};
}

/* What work requests will address. */
uint64_t pinreg_region_iova(const struct pinreg_whole_region *region);

/*
 * Carry out the plan. 0 and a registration, or -errno with *why; that of stop
 * where it ended the copying into a shadow.
 */
int pinreg_region_attach(struct pinreg_whole_region *region, const struct pinreg_stop *stop,
			 struct ibv_mr **out, struct pinreg_why *why);

/* The registration has stayed: make what peers will read what is there. As above. */
int pinreg_region_refill(struct pinreg_whole_region *region, const struct pinreg_stop *stop,
			 struct pinreg_why *why);

/*
 * End region->mr, of a whole one under set->lock. 0, or -errno; then it is still attached.
 */
int pinreg_region_detach(struct pinreg_region *region);

/*
 * End all keys that peers have, under set->lock: of the windows, or of the region with
 * its registration. 0, or -errno; then some may work still.
 */
int pinreg_region_revoke(struct pinreg_whole_region *region);

/* Do the region's keys work, or can windows be had? Under set->lock. */
static inline bool pinreg_region_is_live(const struct pinreg_whole_region *region)
{
	return region->core.mr && !region->stale;
}

/* Take it out of its set's list, under set->lock. The set counts it still. */
void pinreg_region_unlink(struct pinreg_whole_region *region);

/* ASSUMPTIONS: unlinked, nothing is registered for it. */
void pinreg_region_free(struct pinreg_whole_region *region);

/* What a copy is made of, or compared with, before it is moved. */
const struct pinreg_region_facts *pinreg_region_facts_of(const struct pinreg_region *region);

/*
 * May a region of b share a's facts? Where all that is ever told of it is the same,
 * but for addresses and amounts of memory.
 */
bool pinreg_facts_agree(const struct pinreg_region_facts *a, const struct pinreg_region_facts *b);

/*
 * The registration of made becomes that of *slot, and made is gone. Its set counts slot
 * in its place: it is in no list. facts must outlive slot. Written are facts, mr, keys,
 * addr, length and generation; number, state and stamp are the caller's.
 * ASSUMPTIONS: nobody else knows made. It is of a set that never is fenced, pinned or paged
 * on demand, and has the memory's own addresses and no windows; so no shadow and no
 * dma-buf. Its facts agree with facts. number is not 0. Who only guesses that slot is a
 * region may read it meanwhile, if he reads addr and length by an atomic load; what he
 * gets, he must throw away. Nothing is locked that who unmaps memory may wait for: this
 * takes set->lock, and frees.
 */
void pinreg_region_move(struct pinreg_region *made, const struct pinreg_region_facts *facts,
			struct pinreg_region *slot);

/*
 * Register a range of pinned, ordinary memory of which facts are known to hold, as *slot: as
 * if it had been made and moved. 0; or -errno of whatever was against it, and nothing is
 * changed: make it, which looks and says why. ASSUMPTIONS: as of move.
 */
int pinreg_region_fill(const struct pinreg_region_facts *facts, uint64_t addr, uint64_t length,
		       struct pinreg_region *slot);

/*
 * End the registration of what was moved. 0 and the set does not count it any more, or
 * -errno and it stays as it is. ASSUMPTIONS: nobody uses slot; locks as above.
 */
int pinreg_region_end(struct pinreg_region *slot);

/* Bytes of all pages that it touches. */
uint64_t pinreg_region_pages(const struct pinreg_region *region);

/* Bytes that are pinned for it while it is registered. */
uint64_t pinreg_region_pinned(const struct pinreg_region *region);

/* For peers: never 0, the same for life, and no other region's. */
uint64_t pinreg_region_id(const struct pinreg_region *region);

#endif
