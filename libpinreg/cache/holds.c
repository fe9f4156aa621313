/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * holds.c -- who holds what of a cache.
 */
#include "cache/holds.h"

#include <errno.h>
#include <stdlib.h>

static int make_row(const struct pinreg_holds *holds, struct pinreg_holds_row **out)
{
	void *memory = NULL;
	int status = holds->sys->map_anonymous(holds->row_bytes, &memory);
	*out = memory;
	return status;
}

int pinreg_holds_open(const struct pinreg_sys *sys, uint32_t max, struct pinreg_holds **out)
{
	struct pinreg_holds *holds = calloc(1, sizeof(*holds));
	if (!holds)
		return -ENOMEM;
	holds->sys = sys;
	holds->row_bytes = sizeof(struct pinreg_holds_row) + ((size_t)max + 1) * sizeof(uint32_t);
	holds->alone = !sys->barrier_register();
	int status = make_row(holds, &holds->shared);
	if (status)
		free(holds);
	else
		*out = holds;
	return status;
}

void pinreg_holds_close(struct pinreg_holds *holds)
{
	if (!holds)
		return;
	for (uint32_t number = 1; number <= holds->largest; number++) {
		struct pinreg_holds_row *row = holds->rows[number];
		if (row)
			holds->sys->unmap(row, holds->row_bytes);
	}
	holds->sys->unmap(holds->shared, holds->row_bytes);
	free(holds);
}

/* This thread's, made now if it was not there. NULL: it shares row 0. */
static struct pinreg_holds_row *own_row(struct pinreg_holds *holds)
{
	struct pinreg_holds_row *row = NULL;
	if (!holds->alone)
		return NULL;
	pinreg_row_number_take();
	uint32_t number = pinreg_row_number;
	if (!number || holds->refused[number])
		return NULL;
	row = pinreg_holds_own(holds);
	if (row)
		return row;
	if (make_row(holds, &row)) {
		holds->refused[number] = true;
		return NULL;
	}
	atomic_store_explicit(&holds->rows[number], row, memory_order_release);
	/* both before the first count: who has that in his sum, after a barrier, finds the row */
	uint32_t largest = atomic_load_explicit(&holds->largest, memory_order_relaxed);
	while (largest < number &&
	       !atomic_compare_exchange_weak_explicit(&holds->largest, &largest, number,
						      memory_order_release, memory_order_relaxed))
		;
	return row;
}

void pinreg_holds_have_row(struct pinreg_holds *holds)
{
	if (!pinreg_holds_own(holds))
		own_row(holds);
}

/*
 * Row 0 is about to be counted in. The sum asks for that with a read-modify-write too: if
 * it comes first, we have seen what it was made after.
 */
static void share(struct pinreg_holds *holds)
{
	if (!atomic_load_explicit(&holds->sharing, memory_order_acquire))
		atomic_fetch_or_explicit(&holds->sharing, 1, memory_order_acq_rel);
}

void pinreg_holds_change(struct pinreg_holds *holds, uint32_t slot, uint32_t by)
{
	struct pinreg_holds_row *row = own_row(holds);
	if (!row) {
		share(holds);
		atomic_fetch_add_explicit(&holds->shared->counts[slot], by, memory_order_acq_rel);
		return;
	}
	uint32_t count = atomic_load_explicit(&row->counts[slot], memory_order_relaxed);
	atomic_store_explicit(&row->counts[slot], count + by, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
}

void pinreg_holds_hit_elsewhere(struct pinreg_holds *holds)
{
	struct pinreg_holds_row *row = own_row(holds);
	atomic_fetch_add_explicit(row ? &row->hits : &holds->shared->hits, 1, memory_order_relaxed);
}

static const struct pinreg_holds_row *row_of(const struct pinreg_holds *holds, uint32_t number)
{
	return atomic_load_explicit(&holds->rows[number], memory_order_acquire);
}

uint64_t pinreg_holds_hits(const struct pinreg_holds *holds)
{
	uint64_t sum = atomic_load_explicit(&holds->shared->hits, memory_order_relaxed);
	uint32_t largest = atomic_load_explicit(&holds->largest, memory_order_acquire);
	for (uint32_t number = 1; number <= largest; number++) {
		const struct pinreg_holds_row *row = row_of(holds, number);
		if (row)
			sum += atomic_load_explicit(&row->hits, memory_order_relaxed);
	}
	return sum;
}

/* Of those who have a row of their own. */
static uint32_t sum_of(const struct pinreg_holds *holds, uint32_t slot)
{
	uint32_t sum = 0;
	uint32_t largest = atomic_load_explicit(&holds->largest, memory_order_acquire);
	for (uint32_t number = 1; number <= largest; number++) {
		const struct pinreg_holds_row *row = row_of(holds, number);
		if (row)
			sum += atomic_load_explicit(&row->counts[slot], memory_order_acquire);
	}
	return sum;
}

bool pinreg_holds_any_guess(const struct pinreg_holds *holds, uint32_t slot)
{
	uint32_t sum = sum_of(holds, slot);
	if (atomic_load_explicit(&holds->sharing, memory_order_acquire))
		sum += atomic_load_explicit(&holds->shared->counts[slot], memory_order_acquire);
	return sum;
}

int pinreg_holds_barrier(struct pinreg_holds *holds)
{
	return holds->alone ? holds->sys->barrier() : 0;
}

bool pinreg_holds_any(struct pinreg_holds *holds, uint32_t slot)
{
	uint32_t sum = sum_of(holds, slot);
	/* read by writing what is there: see holds.h. A page of row 0 only once it is used. */
	if (atomic_fetch_or_explicit(&holds->sharing, 0, memory_order_acq_rel))
		sum += atomic_fetch_add_explicit(&holds->shared->counts[slot], 0,
						 memory_order_acq_rel);
	return sum;
}
