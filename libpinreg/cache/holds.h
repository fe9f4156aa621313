/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * holds.h -- who holds what of a cache: for each slot a count in the row of each thread.
 *
 * A thread counts in a row of its own, with a plain load, add and store: no locked
 * instruction, and no cache line that another thread writes. A put may be made on
 * another thread than the get, or after that one has ended: then one row is one too high
 * and another one too low, modulo 2^32. So a row alone says nothing, and is kept when its
 * thread ends (who inherits the number goes on from it); only the sum counts.
 *
 * Two sides have to see each other:
 *
 *	a user                          who ends the slot
 *	up:   count + 1                 state: no longer LIVE
 *	      look at the state         barrier
 *	      uses the region           sum of the counts
 *	down: count - 1                 0: nobody is inside, nobody will be
 *	      look at the state         else: it is left to who puts it last
 *
 * The user's store and the load after it may pass each other in every processor, and a
 * fence between them is what a hit cannot afford. The other side pays for both:
 * pinreg_holds_barrier() is membarrier(2), and has each thread of the process come
 * through a full memory barrier at some place of its program, at the latest before
 * the call returns (who is not running has passed one when it was switched out, or will
 * before it runs on). That place is
 *
 * - before the look at the state: then it comes after the state was written, as this
 *   was done before the call. The user finds the slot ended and counts himself down again,
 *   in the same row: whoever sums reads him as 1 or as 0.
 * - after the look: then it is after the count up too, which stands before the look in
 *   the program. The sum, begun after the call, has it.
 *
 * There is no third case, because a program has an order and the barrier one place in
 * it: provided that the compiler has not moved the store behind the load. For that, and
 * only for that, is the atomic_signal_fence(): it is no instruction, but a line that the
 * compiler carries no access across. So this is as good as seq_cst on both sides, also
 * on arm64 and others that reorder more than x86: the argument needs nothing of the
 * processor between the user's two accesses, but the barrier that membarrier makes there.
 * down is the same with the other look: either the sum has it, or the user sees that
 * the slot was ended, and that he may be the last. Of two who are last at once, each with
 * a barrier and a sum of his own, at least one finds 0: the later barrier comes after
 * both counts.
 *
 * Two things a full barrier in the wrong place does not do, so that down is a release
 * store and the sum an acquire load (free on x86): what the user did with the region is
 * done before the count is seen down; and it has happened before what is done on a sum
 * of 0, to memory that the next region of the slot will use.
 *
 * As in inside.h a leave that the sum has missed makes it larger, never smaller; and who
 * is inside when the state is written has counted before he looked. So the sum is no less
 * than the number of those inside. This needs that a thread which is turned away counts
 * up and down in the same row: a thread changes its row only where it has no hold to
 * take back, see rows.h, and a row that had no memory once gets none later.
 *
 * Row 0 is shared by all who have none: more threads than rows, no memory for a row,
 * threads whose end has begun, and everybody where membarrier cannot be had. It is
 * changed, and also read by the sum, with atomic read-modify-writes: these are in one
 * order for each count. A user's that comes first is in the sum; one that comes after the
 * sum's has read from it, and so sees all that was written before it: the state too.
 *
 * ASSUMPTIONS: not in a signal handler, and not in a child of the process that opened it.
 */
#ifndef PINREG_CACHE_HOLDS_H
#define PINREG_CACHE_HOLDS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/rows.h"
#include "sys/sys.h"

struct pinreg_holds_row {
	_Atomic(uint64_t) hits;
	_Atomic(uint32_t) counts[]; /* by slot; [0] is of nobody */
};

struct pinreg_holds {
	/* by number; NULL: nobody counts there. [0] always is NULL. */
	_Atomic(struct pinreg_holds_row *) rows[PINREG_ROWS];
	struct pinreg_holds_row *shared; /* row 0 */
	_Atomic(uint32_t) largest;	 /* rows above it are NULL */
	_Atomic(uint32_t) sharing;	 /* 1: row 0 has been counted in */
	const struct pinreg_sys *sys;
	size_t row_bytes;
	bool alone;		   /* membarrier is there, so threads have rows of their own */
	bool refused[PINREG_ROWS]; /* there was no memory for it; of the number's owner */
};

/*
 * For slots 1 to max. Row 0 takes address space, and a page when it is counted in; each
 * other row the same, from when its thread first comes. 0 or -ENOMEM.
 */
int pinreg_holds_open(const struct pinreg_sys *sys, uint32_t max, struct pinreg_holds **out);
/* ASSUMPTIONS: nobody uses it any more. NULL does nothing. */
void pinreg_holds_close(struct pinreg_holds *holds);

/*
 * The row that this thread counts in is made, if it has none: so what comes later asks the
 * system for nothing, also under a lock.
 */
void pinreg_holds_have_row(struct pinreg_holds *holds);

/* What the calls below do where the thread has no row yet, or shares row 0. */
void pinreg_holds_change(struct pinreg_holds *holds, uint32_t slot, uint32_t by);
void pinreg_holds_hit_elsewhere(struct pinreg_holds *holds);

static inline struct pinreg_holds_row *pinreg_holds_own(struct pinreg_holds *holds)
{
	return atomic_load_explicit(&holds->rows[pinreg_row_number], memory_order_relaxed);
}

/* The same two in the thread's own row, which is not NULL: for who can do without a call. */
static inline void pinreg_holds_up_in(struct pinreg_holds_row *row, uint32_t slot)
{
	uint32_t count = atomic_load_explicit(&row->counts[slot], memory_order_relaxed);
	atomic_store_explicit(&row->counts[slot], count + 1, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
}

static inline void pinreg_holds_down_in(struct pinreg_holds_row *row, uint32_t slot)
{
	uint32_t count = atomic_load_explicit(&row->counts[slot], memory_order_relaxed);
	atomic_store_explicit(&row->counts[slot], count - 1, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
}

static inline void pinreg_holds_hit_in(struct pinreg_holds_row *row)
{
	uint64_t hits = atomic_load_explicit(&row->hits, memory_order_relaxed);
	atomic_store_explicit(&row->hits, hits + 1, memory_order_relaxed);
}

/*
 * Count up; then look at the slot's state, with acquire, and down again where it is not
 * LIVE, or not what was wanted. A thread's first call may ask the system for memory.
 */
static inline void pinreg_holds_up(struct pinreg_holds *holds, uint32_t slot)
{
	struct pinreg_holds_row *row = pinreg_holds_own(holds);
	if (__builtin_expect(!row, 0))
		pinreg_holds_change(holds, slot, 1);
	else
		pinreg_holds_up_in(row, slot);
}

/* Count down, on any thread; then look at the state: ended, and none left? */
static inline void pinreg_holds_down(struct pinreg_holds *holds, uint32_t slot)
{
	struct pinreg_holds_row *row = pinreg_holds_own(holds);
	if (__builtin_expect(!row, 0))
		pinreg_holds_change(holds, slot, UINT32_MAX);
	else
		pinreg_holds_down_in(row, slot);
}

/* One hit more, in a counter of this thread. */
static inline void pinreg_holds_hit(struct pinreg_holds *holds)
{
	struct pinreg_holds_row *row = pinreg_holds_own(holds);
	if (__builtin_expect(!row, 0))
		pinreg_holds_hit_elsewhere(holds);
	else
		pinreg_holds_hit_in(row);
}

/* Of all threads, those that have ended too; of the moment it is read. */
uint64_t pinreg_holds_hits(const struct pinreg_holds *holds);

/* Does anybody hold it? Without a barrier, so it may be wrong both ways. */
bool pinreg_holds_any_guess(const struct pinreg_holds *holds, uint32_t slot);

/*
 * What threads did before is seen by us, and what they do later sees what we wrote
 * before. One is enough for any number of slots. 0, or -errno: it was not made (a
 * filter of system calls came after the cache), and everything has to be taken as held.
 */
int pinreg_holds_barrier(struct pinreg_holds *holds);

/*
 * Does anybody hold it? false: nobody does, and nobody will while its state is not LIVE.
 * ASSUMPTIONS: a barrier was made after LIVE was taken from its state.
 */
bool pinreg_holds_any(struct pinreg_holds *holds, uint32_t slot);

#endif
