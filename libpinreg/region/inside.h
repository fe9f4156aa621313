/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inside.h -- how many work with the keys of a set: counted without a lock, and
 * without a cache line that all of them write.
 *
 * enter adds to the shard of its thread, then looks whether the gate is shut, and
 * takes itself back where it is. Who closes shuts the gate and then adds the
 * shards up. A sum of 0 that was begun after the gate was shut says that nobody
 * is inside and that nobody comes in before it is opened:
 *
 * - All of this is in one order (seq_cst). Who found the gate open had added
 *   himself before it was shut, so the sum has every one of those who are or were
 *   inside.
 * - Who finds it shut adds and takes back in one shard: he is read as 1 or as 0.
 * - Who leaves may take from another shard than he added to. A shard may be below
 *   0; but a leave that the sum has missed makes it larger, never smaller.
 *
 * So the sum is no less than the number of those inside when it is done. Where it
 * is larger, somebody has left a shard after it was read: he looks at the gate
 * after that, finds it shut, and says so (the wake of set.h). So nobody polls.
 */
#ifndef PINREG_REGION_INSIDE_H
#define PINREG_REGION_INSIDE_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define PINREG_CACHE_LINE 64

/* As many shards as CPUs, but no more; and no more memory than that for a file. */
#define PINREG_SHARDS_MAX 16u

struct pinreg_shard {
	alignas(PINREG_CACHE_LINE) _Atomic(int64_t) count;
};

struct pinreg_inside {
	_Atomic(uint64_t) gate; /* shut while odd; + 1 with each change */
	unsigned int mask;	/* number of shards - 1, a power of two - 1 */
	struct pinreg_shard shards[];
};

/* One for so many CPUs, with the gate open. NULL for want of memory. */
struct pinreg_inside *pinreg_inside_make(unsigned int cpus);
void pinreg_inside_free(struct pinreg_inside *inside);

/* Both do nothing where it is so already. */
void pinreg_inside_shut(struct pinreg_inside *inside);
void pinreg_inside_open(struct pinreg_inside *inside);

/* Is nobody inside? ASSUMPTIONS: shut. May say no of who has just been turned away. */
bool pinreg_inside_empty(const struct pinreg_inside *inside);

/* Of this thread; threads get theirs in turn. 0: none yet. Found without a call. */
extern _Thread_local unsigned int pinreg_shard_number __attribute__((tls_model("initial-exec")));
void pinreg_inside_number(void);

static inline struct pinreg_shard *pinreg_inside_shard(struct pinreg_inside *inside)
{
	if (!pinreg_shard_number)
		pinreg_inside_number();
	return &inside->shards[pinreg_shard_number & inside->mask];
}

/* The gate as it is now. As long as it is the same it was neither shut nor opened. */
static inline uint64_t pinreg_inside_gate(const struct pinreg_inside *inside)
{
	return atomic_load(&inside->gate);
}

static inline bool pinreg_inside_is_shut(uint64_t gate)
{
	return gate & 1;
}

/* Count this thread in; then he must look at the gate. */
static inline void pinreg_inside_enter(struct pinreg_inside *inside)
{
	atomic_fetch_add(&pinreg_inside_shard(inside)->count, 1);
}

/* Count it, or another, out. True: the gate is shut, and somebody may wait for this. */
static inline bool pinreg_inside_leave(struct pinreg_inside *inside)
{
	atomic_fetch_sub(&pinreg_inside_shard(inside)->count, 1);
	return pinreg_inside_is_shut(pinreg_inside_gate(inside));
}

#endif
