/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inside.c -- how many work with the keys of a set.
 */
#include "region/inside.h"

#include <stdlib.h>

_Thread_local unsigned int pinreg_shard_number;

void pinreg_inside_number(void)
{
	static _Atomic(unsigned int) threads;
	pinreg_shard_number = atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) + 1;
}

struct pinreg_inside *pinreg_inside_make(unsigned int cpus)
{
	unsigned int count = 1;
	while (count < cpus && count < PINREG_SHARDS_MAX)
		count *= 2;
	struct pinreg_inside *inside = aligned_alloc(
		PINREG_CACHE_LINE, sizeof(*inside) + count * sizeof(inside->shards[0]));
	if (!inside)
		return NULL;
	atomic_init(&inside->gate, 0);
	inside->mask = count - 1;
	for (unsigned int i = 0; i < count; i++)
		atomic_init(&inside->shards[i].count, 0);
	return inside;
}

void pinreg_inside_free(struct pinreg_inside *inside)
{
	free(inside);
}

/* Only one thread at a time moves the gate: it holds the set's lock. */
static void move_gate(struct pinreg_inside *inside, bool shut)
{
	if (pinreg_inside_is_shut(pinreg_inside_gate(inside)) != shut)
		atomic_fetch_add(&inside->gate, 1);
}

void pinreg_inside_shut(struct pinreg_inside *inside)
{
	move_gate(inside, true);
}

void pinreg_inside_open(struct pinreg_inside *inside)
{
	move_gate(inside, false);
}

bool pinreg_inside_empty(const struct pinreg_inside *inside)
{
	int64_t sum = 0;
	for (unsigned int i = 0; i <= inside->mask; i++)
		sum += atomic_load(&inside->shards[i].count);
	return !sum;
}
