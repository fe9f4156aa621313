/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_holds.c -- the sum of what threads count is who holds a slot: whoever puts
 * it, whatever becomes of the thread, and while others come and go.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache/holds.h"
#include "support/test.h"

#define SLOTS 2000u

static struct pinreg_sys sys;
static struct pinreg_holds *holds;

static int no_barrier_register(void)
{
	return -ENOSYS;
}

static int no_barrier(void)
{
	return -EPERM;
}

static _Atomic(unsigned int) maps_left = UINT32_MAX;

static int map_some(uint64_t length, void **out)
{
	if (!maps_left)
		return -ENOMEM;
	maps_left--;
	return pinreg_sys_real.map_anonymous(length, out);
}

static void open_holds(void)
{
	if (!sys.unmap) {
		sys = pinreg_sys_real;
		sys.map_anonymous = map_some;
	}
	test_ok(pinreg_holds_open(&sys, SLOTS, &holds));
}

static void open_without_barrier(void)
{
	sys = pinreg_sys_real;
	sys.barrier_register = no_barrier_register;
	sys.barrier = no_barrier;
	open_holds();
}

static bool any(uint32_t slot)
{
	test_ok(pinreg_holds_barrier(holds));
	bool held = pinreg_holds_any(holds, slot);
	assert_int_equal(pinreg_holds_any_guess(holds, slot), held);
	return held;
}

/* ---- a thread that does what it is told, and gives its number ---- */

struct worker {
	pthread_t thread;
	uint32_t up[3], down[3]; /* slots, 0: no more */
	uint32_t number;
	pthread_barrier_t *meet; /* after up; or NULL */
};

static void *work(void *context)
{
	struct worker *worker = context;
	for (unsigned int i = 0; i < 3 && worker->up[i]; i++)
		pinreg_holds_up(holds, worker->up[i]);
	worker->number = pinreg_row_number;
	if (worker->meet) {
		pthread_barrier_wait(worker->meet);
		pthread_barrier_wait(worker->meet);
	}
	for (unsigned int i = 0; i < 3 && worker->down[i]; i++)
		pinreg_holds_down(holds, worker->down[i]);
	return NULL;
}

static void start(struct worker *worker)
{
	assert_int_equal(pthread_create(&worker->thread, NULL, work, worker), 0);
}

static void finish(struct worker *worker)
{
	assert_int_equal(pthread_join(worker->thread, NULL), 0);
}

/* ---- counting ---- */

static void count__up_and_down(void **state)
{
	(void)state;
	open_holds();
	assert_false(any(1));
	pinreg_holds_up(holds, 1);
	assert_true(any(1));
	pinreg_holds_up(holds, 1);
	pinreg_holds_up(holds, SLOTS);
	pinreg_holds_down(holds, 1);
	assert_true(any(1));
	assert_true(any(SLOTS));
	assert_false(any(2));
	assert_false(any(SLOTS - 1));
	pinreg_holds_down(holds, 1);
	pinreg_holds_down(holds, SLOTS);
	assert_false(any(1));
	assert_false(any(SLOTS));
	pinreg_holds_close(holds);
}

static void put__on_another_thread(void **state)
{
	(void)state;
	struct worker worker = { .down = { 5, 6, 6 } };
	open_holds();
	pinreg_holds_up(holds, 5);
	pinreg_holds_up(holds, 6);
	pinreg_holds_up(holds, 6);
	start(&worker);
	finish(&worker);
	assert_int_not_equal(holds->largest, 1); /* it counted in a row of its own */
	assert_false(any(5));
	assert_false(any(6));
	pinreg_holds_up(holds, 5); /* from 1 and -1 on */
	assert_true(any(5));
	pinreg_holds_down(holds, 5);
	assert_false(any(5));
	pinreg_holds_close(holds);
}

static void put__before_another_thread_gets(void **state)
{
	(void)state;
	struct worker worker = { .up = { 9, 9 }, .down = { 9 } };
	open_holds();
	pinreg_holds_up(holds, 9);
	start(&worker);
	finish(&worker);
	pinreg_holds_down(holds, 9);
	assert_true(any(9));
	pinreg_holds_down(holds, 9);
	assert_false(any(9));
	pinreg_holds_close(holds);
}

static void hits__of_all_threads(void **state)
{
	(void)state;
	open_holds();
	assert_int_equal(pinreg_holds_hits(holds), 0);
	for (unsigned int i = 0; i < 10; i++)
		pinreg_holds_hit(holds);
	assert_int_equal(pinreg_holds_hits(holds), 10);
	uint32_t number = pinreg_row_number;
	pinreg_row_number = 0;
	holds->alone = false; /* as if this thread had none */
	pinreg_holds_hit(holds);
	assert_int_equal(pinreg_holds_hits(holds), 11);
	pinreg_row_number = number;
	pinreg_holds_close(holds);
}

/* ---- threads that end ---- */

static void thread_end__its_holds_stay(void **state)
{
	(void)state;
	struct worker worker = { .up = { 1, 2, 2 } };
	open_holds();
	start(&worker);
	finish(&worker);
	assert_true(any(1));
	assert_true(any(2));
	pinreg_holds_down(holds, 1);
	pinreg_holds_down(holds, 2);
	assert_false(any(1));
	assert_true(any(2));
	pinreg_holds_down(holds, 2);
	assert_false(any(2));
	pinreg_holds_close(holds);
}

static void thread_end__the_row_is_inherited(void **state)
{
	(void)state;
	struct worker first = { .up = { 1, 2, 3 } };
	struct worker second = { .up = { 1 }, .down = { 1, 2 } };
	open_holds();
	pinreg_holds_up(holds, 4); /* so that this thread has a number already */
	start(&first);
	finish(&first);
	start(&second);
	finish(&second);
	assert_int_not_equal(first.number, 0);
	assert_int_not_equal(first.number, pinreg_row_number);
	assert_int_equal(second.number, first.number);
	assert_true(any(1));
	assert_false(any(2));
	assert_true(any(3));
	assert_true(any(4));
	pinreg_holds_close(holds);
}

static void thread_end__after_the_cache_is_closed(void **state)
{
	(void)state;
	pthread_barrier_t meet;
	struct worker worker = { .up = { 1 }, .meet = &meet };
	struct worker next = { .up = { 1 } };
	pthread_barrier_init(&meet, NULL, 2);
	open_holds();
	start(&worker);
	pthread_barrier_wait(&meet);
	pinreg_holds_close(holds);
	pthread_barrier_wait(&meet);
	finish(&worker);
	open_holds();
	assert_false(any(1));
	start(&next);
	finish(&next);
	assert_int_equal(next.number, worker.number);
	assert_true(any(1));
	pinreg_holds_close(holds);
}

static void put_late(void *slot)
{
	uint32_t before = pinreg_row_number;
	pinreg_holds_down(holds, (uint32_t)(uintptr_t)slot);
	pinreg_holds_up(holds, 2);
	assert_int_equal(pinreg_row_number, before);
}

static pthread_key_t late;

static void *hold_until_the_end(void *unused)
{
	pinreg_holds_up(holds, 1);
	pthread_setspecific(late, (void *)(uintptr_t)1);
	return unused;
}

static void thread_end__put_by_a_destructor(void **state)
{
	(void)state;
	pthread_t thread;
	struct worker next = { .up = { 3 } };
	open_holds();
	/* keys are destroyed in this order: the library's was made when it was loaded */
	assert_int_equal(pthread_key_create(&late, put_late), 0);
	assert_int_equal(pthread_create(&thread, NULL, hold_until_the_end, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(holds->sharing, 1); /* its number was given back before */
	assert_false(any(1));
	assert_true(any(2));
	start(&next);
	finish(&next);
	assert_int_equal(next.number, 1);
	pinreg_holds_close(holds);
}

/* ---- more threads than rows ---- */

#define CROWD 300u

static void rows__fewer_than_threads(void **state)
{
	(void)state;
	static struct worker workers[CROWD];
	pthread_barrier_t meet;
	pthread_barrier_init(&meet, NULL, CROWD + 1);
	open_holds();
	unsigned int without = 0;
	bool taken[PINREG_ROWS] = { false };
	for (uint32_t i = 0; i < CROWD; i++) {
		/* each puts what its neighbour got */
		workers[i] = (struct worker){ .up = { i + 1, 1000 },
					      .down = { (i + 1) % CROWD + 1, 1000 },
					      .meet = &meet };
		start(&workers[i]);
	}
	pthread_barrier_wait(&meet);
	for (uint32_t i = 0; i < CROWD; i++) {
		uint32_t number = workers[i].number;
		assert_in_range(number, 0, PINREG_ROWS - 1);
		assert_false(number && taken[number]);
		taken[number] = true;
		without += !number;
		assert_true(any(i + 1));
	}
	assert_true(any(1000));
	assert_int_equal(without, CROWD - (PINREG_ROWS - 1));
	pthread_barrier_wait(&meet);
	for (uint32_t i = 0; i < CROWD; i++)
		finish(&workers[i]);
	for (uint32_t i = 0; i < CROWD; i++)
		assert_false(any(i + 1));
	assert_false(any(1000));
	/* they all were given back */
	workers[0] = (struct worker){ .up = { 1 } };
	start(&workers[0]);
	finish(&workers[0]);
	assert_int_equal(workers[0].number, 1);
	pinreg_holds_close(holds);
}

/* ---- what cannot be had ---- */

static void barrier__is_there_or_says_why_not(void **state)
{
	(void)state;
	int status = pinreg_sys_real.barrier_register();
	assert_true(!status || status == -EOPNOTSUPP || status == -EPERM || status == -ENOSYS);
	if (!status)
		test_ok(pinreg_sys_real.barrier());
	open_holds();
	assert_int_equal(holds->alone, !status);
	pinreg_holds_close(holds);
}

static void barrier__not_there_row_0_is_shared(void **state)
{
	(void)state;
	struct worker worker = { .up = { 1, 2 }, .down = { 1, 3 } };
	open_without_barrier();
	pinreg_holds_up(holds, 3);
	pinreg_holds_hit(holds);
	assert_true(any(3));
	start(&worker);
	finish(&worker);
	assert_int_equal(worker.number, 0);
	assert_int_equal(holds->largest, 0);
	assert_false(any(1));
	assert_true(any(2));
	assert_false(any(3));
	assert_int_equal(pinreg_holds_hits(holds), 1);
	pinreg_holds_close(holds);
}

static void barrier__forbidden_later(void **state)
{
	(void)state;
	open_holds();
	holds->alone = true;
	sys.barrier = no_barrier;
	assert_int_equal(pinreg_holds_barrier(holds), -EPERM);
	pinreg_holds_close(holds);
}

static void memory__none_to_open(void **state)
{
	(void)state;
	sys = pinreg_sys_real;
	sys.map_anonymous = map_some;
	maps_left = 0;
	assert_int_equal(pinreg_holds_open(&sys, SLOTS, &holds), -ENOMEM);
	pinreg_holds_close(NULL);
}

static void memory__none_for_a_row(void **state)
{
	(void)state;
	struct worker worker = { .up = { 1 }, .down = { 2 } };
	maps_left = 1; /* row 0 */
	open_holds();
	pinreg_holds_up(holds, 1);
	assert_true(any(1));
	/* from now on there is some; but who counted up in row 0 counts down there */
	maps_left = UINT32_MAX;
	pinreg_holds_up(holds, 2);
	assert_null(pinreg_holds_own(holds));
	start(&worker);
	finish(&worker);
	assert_true(any(1));
	assert_false(any(2));
	pinreg_holds_down(holds, 1);
	pinreg_holds_down(holds, 1);
	assert_false(any(1));
	pinreg_holds_close(holds);
}

/* ---- fork ---- */

/* In the child: a cache of its own, and the numbers of the parent's threads are free. */
static int child(void)
{
	open_holds();
	pinreg_holds_up(holds, 2);
	bool well = pinreg_row_number == 5 && any(2);
	pinreg_row_number = 0; /* as in another thread */
	pinreg_holds_down(holds, 2);
	well = well && pinreg_row_number == 1 && !any(2);
	pinreg_holds_close(holds);
	return well ? 0 : 1;
}

static void fork__the_child_has_all_numbers(void **state)
{
	(void)state;
	pthread_barrier_t meet;
	struct worker workers[4];
	int status = -1;
	pthread_barrier_init(&meet, NULL, 5);
	open_holds();
	for (unsigned int i = 0; i < 4; i++) {
		workers[i] = (struct worker){ .up = { 1 }, .down = { 1 }, .meet = &meet };
		start(&workers[i]);
	}
	pthread_barrier_wait(&meet);
	pinreg_holds_up(holds, 1);
	assert_int_equal(pinreg_row_number, 5);
	pid_t process = fork();
	if (!process)
		_exit(child());
	assert_int_equal(waitpid(process, &status, 0), process);
	assert_int_equal(status, 0);
	pthread_barrier_wait(&meet);
	for (unsigned int i = 0; i < 4; i++)
		finish(&workers[i]);
	pinreg_holds_down(holds, 1);
	assert_false(any(1));
	pinreg_holds_close(holds);
}

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
			pinreg_holds_up(holds, 1);
		meet_other(0, 2 * i - 1);
		race.user_saw = race.live; /* so that it is near, and the count to the other */
		delay(i % 64 * 4);
		if (race.down)
			pinreg_holds_down(holds, 1);
		else
			pinreg_holds_up(holds, 1);
		race.user_saw = atomic_load_explicit(&race.live, memory_order_acquire);
		meet_other(0, 2 * i);
		if (!race.down)
			pinreg_holds_down(holds, 1);
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
		pinreg_holds_any_guess(holds, 1);
		delay(100);
		atomic_store_explicit(&race.live, false, memory_order_release);
		bool failed = pinreg_holds_barrier(holds);
		bool held = pinreg_holds_any(holds, 1);
		meet_other(1, 2 * i);
		/* up: he may use it, and it is ended; down: it waits for him, and he knows not */
		missed += failed || (race.user_saw && held == race.down);
		race.live = true;
	}
	pthread_join(user, NULL);
	assert_false(any(1));
	pinreg_holds_close(holds);
	return missed;
}

static void race__up_and_end_see_each_other(void **state)
{
	(void)state;
	open_holds();
	assert_int_equal(run_races(), 0);
}

static void race__down_and_end_see_each_other(void **state)
{
	(void)state;
	open_holds();
	race.down = true;
	assert_int_equal(run_races(), 0);
}

static void race__in_row_0(void **state)
{
	(void)state;
	open_without_barrier();
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
		pinreg_holds_down(holds, slot);
}

static void use(uint32_t slot, unsigned int turn)
{
	uint64_t state = atomic_load_explicit(&slots[slot].state, memory_order_acquire);
	if (!(state & LIVE))
		return;
	pinreg_holds_up(holds, slot);
	if (atomic_load_explicit(&slots[slot].state, memory_order_acquire) != state) {
		pinreg_holds_down(holds, slot);
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
		pinreg_holds_down(holds, slot);
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
	test_ok(pinreg_holds_barrier(holds));
	while (pinreg_holds_any(holds, slot)) {
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
		assert_false(any(slot));
	}
	pinreg_holds_close(holds);
}

static void torture__threads_come_and_go(void **state)
{
	(void)state;
	open_holds();
	torture(50000);
}

static void torture__row_0(void **state)
{
	(void)state;
	open_without_barrier();
	torture(50000);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(count__up_and_down),
	cmocka_unit_test(put__on_another_thread),
	cmocka_unit_test(put__before_another_thread_gets),
	cmocka_unit_test(hits__of_all_threads),
	cmocka_unit_test(thread_end__its_holds_stay),
	cmocka_unit_test(thread_end__the_row_is_inherited),
	cmocka_unit_test(thread_end__after_the_cache_is_closed),
	cmocka_unit_test(thread_end__put_by_a_destructor),
	cmocka_unit_test(rows__fewer_than_threads),
	cmocka_unit_test(barrier__is_there_or_says_why_not),
	cmocka_unit_test(barrier__not_there_row_0_is_shared),
	cmocka_unit_test(barrier__forbidden_later),
	cmocka_unit_test(memory__none_to_open),
	cmocka_unit_test(memory__none_for_a_row),
	cmocka_unit_test(fork__the_child_has_all_numbers),
	cmocka_unit_test(torture__threads_come_and_go),
	cmocka_unit_test(race__up_and_end_see_each_other),
	cmocka_unit_test(race__down_and_end_see_each_other),
	cmocka_unit_test(race__in_row_0),
	cmocka_unit_test(torture__row_0),
};

TEST_MAIN(cases)
