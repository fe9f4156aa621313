/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_holds_races.c -- who uses a slot and who ends it, at the same time: one sees
 * the other, while threads come and go.
 */
#include <pthread.h>
#include <sched.h>
#include <stdalign.h>

#include "support/held.h"
#include "support/test.h"

/* Two threads on one CPU never do anything at the same time. n: 0 or 1. */
static void stay_on(unsigned int n)
{
	cpu_set_t may, one;
	if (sched_getaffinity(0, sizeof(may), &may))
		return;
	n %= (unsigned int)CPU_COUNT(&may);
	CPU_ZERO(&one);
	for (size_t cpu = 0; !CPU_COUNT(&one); cpu++) {
		if (CPU_ISSET(cpu, &may) && !n--)
			CPU_SET(cpu, &one);
	}
	sched_setaffinity(0, sizeof(one), &one);
}

/* ---- one step of a user and one of who ends the slot, at the same time ---- */

#define RACES 20000u

/* Each in a cache line of its own, so that a store of one has to wait for the other. */
static struct {
	alignas(128) _Atomic(bool) live;
	alignas(128) struct {
		alignas(128) _Atomic(unsigned int) times; /* it has come to meet */
	} here[2];
	bool user_saw;
	bool down; /* the step is that, else up */
} race;

static void meet_other(unsigned int me, unsigned int times)
{
	race.here[me].times = times;
	for (unsigned int i = 1; race.here[!me].times < times; i++) {
		if (i % 2000 == 0) /* he does not run */
			sched_yield();
	}
}

static void delay(unsigned int turns)
{
	for (unsigned int i = 0; i < turns; i++)
		atomic_signal_fence(memory_order_seq_cst);
}

static void *user_of_races(void *unused)
{
	stay_on(1);
	for (unsigned int i = 1; i <= RACES; i++) {
		if (race.down)
			pinreg_holds_up(held_holds, 1);
		meet_other(0, 2 * i - 1);
		race.user_saw = race.live; /* so that it is near, and the count to the other */
		delay(i % 64 * 4);
		if (race.down)
			pinreg_holds_down(held_holds, 1);
		else
			pinreg_holds_up(held_holds, 1);
		race.user_saw = atomic_load_explicit(&race.live, memory_order_acquire);
		meet_other(0, 2 * i);
		if (!race.down)
			pinreg_holds_down(held_holds, 1);
	}
	return unused;
}

/* The number of races in which neither has seen the other. */
static unsigned int run_races(void)
{
	pthread_t user;
	unsigned int missed = 0;
	race.live = true;
	assert_int_equal(pthread_create(&user, NULL, user_of_races, NULL), 0);
	stay_on(0);
	for (unsigned int i = 1; i <= RACES; i++) {
		meet_other(1, 2 * i - 1);
		pinreg_holds_any_guess(held_holds, 1);
		delay(100);
		atomic_store_explicit(&race.live, false, memory_order_release);
		bool failed = pinreg_holds_barrier(held_holds);
		bool held = pinreg_holds_any(held_holds, 1);
		meet_other(1, 2 * i);
		/* up: he may use it, and it is ended; down: it waits for him, and he knows not */
		missed += failed || (race.user_saw && held == race.down);
		race.live = true;
	}
	pthread_join(user, NULL);
	assert_false(held_any(1));
	pinreg_holds_close(held_holds);
	return missed;
}

static void race__up_and_end_see_each_other(void **state)
{
	(void)state;
	held_open();
	assert_int_equal(run_races(), 0);
}

static void race__down_and_end_see_each_other(void **state)
{
	(void)state;
	held_open();
	race.down = true;
	assert_int_equal(run_races(), 0);
}

static void race__in_row_0(void **state)
{
	(void)state;
	held_open_without_barrier();
	assert_int_equal(run_races(), 0);
}

/* ---- who ends a slot, and who uses it ---- */

#define USERS 4u
#define FEW 3u
#define USES 400u /* in the life of one thread */
#define LIVE 1u

/* As a cache has them. content is of who uses the slot, or of who ended it: no atomic. */
static struct {
	_Atomic(uint64_t) state;
	uint64_t content[4];	  /* all are the state while it is LIVE */
	_Atomic(uint32_t) handed; /* holds that another thread is to put */
} slots[FEW + 1];

static _Atomic(bool) torture_ends;
static _Atomic(unsigned int) wrong;
static _Atomic(uint64_t) uses;

static void put_handed(uint32_t slot)
{
	uint32_t handed = atomic_load(&slots[slot].handed);
	if (handed && atomic_compare_exchange_strong(&slots[slot].handed, &handed, handed - 1))
		pinreg_holds_down(held_holds, slot);
}

static void use(uint32_t slot, unsigned int turn)
{
	uint64_t state = atomic_load_explicit(&slots[slot].state, memory_order_acquire);
	if (!(state & LIVE))
		return;
	pinreg_holds_up(held_holds, slot);
	if (atomic_load_explicit(&slots[slot].state, memory_order_acquire) != state) {
		pinreg_holds_down(held_holds, slot);
		return;
	}
	/* long enough for who does not see us to have changed the content */
	for (unsigned int look = 0; look < 40; look++) {
		for (unsigned int i = 0; i < 4; i++) {
			if (slots[slot].content[i] != state)
				wrong++;
		}
		if (look == 0 && turn % 64 == 0)
			sched_yield();
		atomic_signal_fence(memory_order_seq_cst);
	}
	if (turn % 7)
		pinreg_holds_down(held_holds, slot);
	else
		atomic_fetch_add(&slots[slot].handed, 1);
}

static void *use_some(void *unused)
{
	for (unsigned int i = 0; i < USES; i++) {
		use(i % FEW + 1, i + 1);
		put_handed((i + 1) % FEW + 1);
	}
	uses += USES;
	return unused;
}

/* Threads come and go, and inherit rows. */
static void *use_always(void *unused)
{
	while (!torture_ends) {
		pthread_t thread;
		if (!pthread_create(&thread, NULL, use_some, NULL))
			pthread_join(thread, NULL);
	}
	return unused;
}

static void end_and_reuse(uint32_t slot)
{
	uint64_t state = slots[slot].state;
	atomic_store_explicit(&slots[slot].state, state & ~(uint64_t)LIVE, memory_order_release);
	test_ok(pinreg_holds_barrier(held_holds));
	while (pinreg_holds_any(held_holds, slot)) {
		put_handed(slot);
		sched_yield();
	}
	/* nobody is inside, and nobody comes in */
	for (unsigned int i = 0; i < 4; i++)
		slots[slot].content[i] = 0;
	state += 2;
	for (unsigned int i = 0; i < 4; i++)
		slots[slot].content[i] = state;
	atomic_store_explicit(&slots[slot].state, state, memory_order_release);
}

static void torture(unsigned int ends)
{
	pthread_t threads[USERS];
	for (uint32_t slot = 1; slot <= FEW; slot++) {
		slots[slot].state = LIVE;
		for (unsigned int i = 0; i < 4; i++)
			slots[slot].content[i] = LIVE;
	}
	for (unsigned int i = 0; i < USERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, use_always, NULL), 0);
	for (unsigned int i = 0; i < ends || uses < ends; i++)
		end_and_reuse(i % FEW + 1);
	torture_ends = true;
	for (unsigned int i = 0; i < USERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(wrong, 0);
	for (uint32_t slot = 1; slot <= FEW; slot++) {
		while (slots[slot].handed)
			put_handed(slot);
		assert_false(held_any(slot));
	}
	pinreg_holds_close(held_holds);
}

static void torture__threads_come_and_go(void **state)
{
	(void)state;
	held_open();
	torture(50000);
}

static void torture__row_0(void **state)
{
	(void)state;
	held_open_without_barrier();
	torture(50000);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(race__up_and_end_see_each_other),
	cmocka_unit_test(race__down_and_end_see_each_other),
	cmocka_unit_test(race__in_row_0),
	cmocka_unit_test(torture__threads_come_and_go),
	cmocka_unit_test(torture__row_0),
};

TEST_MAIN(cases)
