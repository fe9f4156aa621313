/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rows.c -- the number of the row in which a thread counts.
 */
#include "cache/rows.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define WORDS (PINREG_ROWS / 64)

_Thread_local uint32_t pinreg_row_number;

static _Thread_local bool without; /* this thread has none, and gets none any more */

/* A bit for each number that a thread has. 0 is given to nobody. */
static _Atomic(uint64_t) taken[WORDS] = { 1 };

/* Its destructor is how a thread's end is heard of; its value is the thread's number. */
static pthread_key_t key;
static _Atomic(bool) key_there;

/* The lowest, so that as few rows as can be have memory. 0: all are taken. */
static uint32_t take(void)
{
	for (uint32_t word = 0; word < WORDS; word++) {
		uint64_t seen = atomic_load_explicit(&taken[word], memory_order_relaxed);
		while (~seen) {
			uint64_t bit = ~seen & (seen + 1);
			if (atomic_compare_exchange_weak_explicit(&taken[word], &seen, seen | bit,
								  memory_order_acquire,
								  memory_order_relaxed))
				return word * 64 + (uint32_t)__builtin_ctzll(bit);
		}
	}
	return 0;
}

static void give_back(uint32_t number)
{
	atomic_fetch_and_explicit(&taken[number / 64], ~(1ull << number % 64),
				  memory_order_release);
}

/*
 * The thread ends. Destructors of the application's that come after this one may still
 * put regions back; a number taken for that might never be given back.
 */
static void at_thread_end(void *value)
{
	pinreg_row_number = 0;
	without = true;
	give_back((uint32_t)(uintptr_t)value);
}

void pinreg_row_number_take(void)
{
	if (pinreg_row_number || without)
		return;
	without = true;
	if (!atomic_load_explicit(&key_there, memory_order_acquire))
		return;
	uint32_t number = take();
	if (!number)
		return;
	if (pthread_setspecific(key, (void *)(uintptr_t)number)) {
		give_back(number);
		return;
	}
	pinreg_row_number = number;
	without = false;
}

/* The threads of the parent that had the others are not here, and do not end here. */
static void after_fork_in_child(void)
{
	for (uint32_t word = 0; word < WORDS; word++)
		atomic_store_explicit(&taken[word], 0, memory_order_relaxed);
	taken[0] |= 1;
	taken[pinreg_row_number / 64] |= 1ull << pinreg_row_number % 64;
}

/* Without the handler a child only has fewer numbers to give. */
__attribute__((constructor)) static void install(void)
{
	pthread_atfork(NULL, NULL, after_fork_in_child);
	key_there = !pthread_key_create(&key, at_thread_end);
}

/*
 * The library is unloaded, or the process exits: no thread that ends from now on may be
 * led into code that is gone. Deleting the key serves the library as well as a plugin
 * that it is linked into, and leaves both as easy to unload as they were; to pin it in
 * memory would be up to who links it. As with every library, who unloads it sees to
 * it that no thread is inside, and one that is just ending may be.
 */
__attribute__((destructor)) static void uninstall(void)
{
	if (atomic_exchange(&key_there, false))
		pthread_key_delete(key);
}
