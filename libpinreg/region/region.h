/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * region.h -- one registration inside the library.
 */
#ifndef PINREG_REGION_REGION_H
#define PINREG_REGION_REGION_H

#include <stdatomic.h>

#include <pinreg/region.h>

#include "plan/planner.h"
#include "region/set.h"
#include "region/shadow.h"

struct pinreg_region {
	struct pinreg_device *device;
	struct pinreg_region_set *set;
	struct pinreg_persist *persist;	 /* the file's; NULL: nothing is durable here */
	struct pinreg_decision decision; /* what was decided and done */
	struct pinreg_shadow *shadow;	 /* of STAGED, else NULL */
	int dmabuf;			 /* of DMABUF, our own descriptor, else -1 */
	uint64_t id;			 /* for peers: random, never 0, the same for life */
	struct pinreg_inside *inside;	 /* the set's; NULL where it never is fenced */
	/*
	 * The keys that are given out. Written under set->lock before others know the
	 * region, then only with the gate of inside shut: who is inside reads without
	 * the lock, and looks at the gate before and after.
	 */
	_Atomic(uint64_t) keys; /* lkey in the upper half, rkey in the lower */
	/* of the keys; 0: there are none, it reaches behind the end of its file */
	_Atomic(uint64_t) generation;
	uint64_t addr; /* what work requests address; constant once linked */
	/* under set->lock */
	struct ibv_mr *mr; /* NULL while fenced; with windows it stays */
	bool stale;	   /* it stayed, and the memory may have changed since */
	struct pinreg_window *windows;
	struct pinreg_region *next;
	struct pinreg_region **link; /* what points to this region */
};

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
int pinreg_region_plan_dmabuf(struct pinreg_region *region, int fd, uint64_t offset,
			      uint64_t length, const struct pinreg_region_opts *opts);

/*
 * Before anything is registered, and outside of every lock: touch cold memory,
 * or make the shadow. 0, or -errno with *why.
 */
int pinreg_region_warm(struct pinreg_region *region, struct pinreg_why *why);

/* Give the keys out as they are now, if it has any. Under set->lock. */
void pinreg_region_publish(struct pinreg_region *region);

/* What is given out. ASSUMPTIONS: linked. */
static inline struct pinreg_keys pinreg_region_published(const struct pinreg_region *region)
{
	uint64_t keys = atomic_load(&region->keys);
	return (struct pinreg_keys){
		.size = sizeof(struct pinreg_keys),
		.lkey = (uint32_t)(keys >> 32),
		.rkey = (uint32_t)keys,
		.addr = region->addr,
		.length = region->decision.plan.length,
		.generation = atomic_load(&region->generation),
	};
}

/* What work requests address. */
uint64_t pinreg_region_iova(const struct pinreg_region *region);

/*
 * Carry out the plan. 0 and a registration, or -errno with *why; that of stop
 * where it ended the copying into a shadow.
 */
int pinreg_region_attach(struct pinreg_region *region, const struct pinreg_stop *stop,
			 struct ibv_mr **out, struct pinreg_why *why);

/* The registration has stayed: make what peers will read what is there. As above. */
int pinreg_region_refill(struct pinreg_region *region, const struct pinreg_stop *stop,
			 struct pinreg_why *why);

/* End region->mr, under set->lock. 0, or -errno; then it is still attached. */
int pinreg_region_detach(struct pinreg_region *region);

/*
 * End all keys that peers have, under set->lock: of the windows, or of the region with
 * its registration. 0, or -errno; then some may work still.
 */
int pinreg_region_revoke(struct pinreg_region *region);

/* Do the region's keys work, or can windows be had? Under set->lock. */
static inline bool pinreg_region_is_live(const struct pinreg_region *region)
{
	return region->mr && !region->stale;
}

#endif
