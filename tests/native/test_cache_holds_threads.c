/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_holds_threads.c -- what becomes of a thread's holds and of its row: when it
 * ends, when there are more threads than rows, and in a child.
 */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/held.h"
#include "support/test.h"

/* ---- threads that end ---- */

static void thread_end__its_holds_stay(void **state)
{
	(void)state;
	struct held_worker worker = { .up = { 1, 2, 2 } };
	held_open();
	held_start(&worker);
	held_finish(&worker);
	assert_true(held_any(1));
	assert_true(held_any(2));
	pinreg_holds_down(held_holds, 1);
	pinreg_holds_down(held_holds, 2);
	assert_false(held_any(1));
	assert_true(held_any(2));
	pinreg_holds_down(held_holds, 2);
	assert_false(held_any(2));
	pinreg_holds_close(held_holds);
}

static void thread_end__the_row_is_inherited(void **state)
{
	(void)state;
	struct held_worker first = { .up = { 1, 2, 3 } };
	struct held_worker second = { .up = { 1 }, .down = { 1, 2 } };
	held_open();
	pinreg_holds_up(held_holds, 4); /* so that this thread has a number already */
	held_start(&first);
	held_finish(&first);
	held_start(&second);
	held_finish(&second);
	assert_int_not_equal(first.number, 0);
	assert_int_not_equal(first.number, pinreg_row_number);
	assert_int_equal(second.number, first.number);
	assert_true(held_any(1));
	assert_false(held_any(2));
	assert_true(held_any(3));
	assert_true(held_any(4));
	pinreg_holds_close(held_holds);
}

static void thread_end__after_the_cache_is_closed(void **state)
{
	(void)state;
	pthread_barrier_t meet;
	struct held_worker worker = { .up = { 1 }, .meet = &meet };
	struct held_worker next = { .up = { 1 } };
	pthread_barrier_init(&meet, NULL, 2);
	held_open();
	held_start(&worker);
	pthread_barrier_wait(&meet);
	pinreg_holds_close(held_holds);
	pthread_barrier_wait(&meet);
	held_finish(&worker);
	held_open();
	assert_false(held_any(1));
	held_start(&next);
	held_finish(&next);
	assert_int_equal(next.number, worker.number);
	assert_true(held_any(1));
	pinreg_holds_close(held_holds);
}

static void put_late(void *slot)
{
	uint32_t before = pinreg_row_number;
	pinreg_holds_down(held_holds, (uint32_t)(uintptr_t)slot);
	pinreg_holds_up(held_holds, 2);
	assert_int_equal(pinreg_row_number, before);
}

static pthread_key_t late;

static void *hold_until_the_end(void *unused)
{
	pinreg_holds_up(held_holds, 1);
	pthread_setspecific(late, (void *)(uintptr_t)1);
	return unused;
}

static void thread_end__put_by_a_destructor(void **state)
{
	(void)state;
	pthread_t thread;
	struct held_worker next = { .up = { 3 } };
	held_open();
	/* keys are destroyed in this order: the library's was made when it was loaded */
	assert_int_equal(pthread_key_create(&late, put_late), 0);
	assert_int_equal(pthread_create(&thread, NULL, hold_until_the_end, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(held_holds->sharing, 1); /* its number was given back before */
	assert_false(held_any(1));
	assert_true(held_any(2));
	held_start(&next);
	held_finish(&next);
	assert_int_equal(next.number, 1);
	pinreg_holds_close(held_holds);
}

/* ---- more threads than rows ---- */

#define CROWD 300u

static void rows__fewer_than_threads(void **state)
{
	(void)state;
	static struct held_worker workers[CROWD];
	pthread_barrier_t meet;
	pthread_barrier_init(&meet, NULL, CROWD + 1);
	held_open();
	unsigned int without = 0;
	bool taken[PINREG_ROWS] = { false };
	for (uint32_t i = 0; i < CROWD; i++) {
		/* each puts what its neighbour got */
		workers[i] = (struct held_worker){ .up = { i + 1, 1000 },
						   .down = { (i + 1) % CROWD + 1, 1000 },
						   .meet = &meet };
		held_start(&workers[i]);
	}
	pthread_barrier_wait(&meet);
	for (uint32_t i = 0; i < CROWD; i++) {
		uint32_t number = workers[i].number;
		assert_in_range(number, 0, PINREG_ROWS - 1);
		assert_false(number && taken[number]);
		taken[number] = true;
		without += !number;
		assert_true(held_any(i + 1));
	}
	assert_true(held_any(1000));
	assert_int_equal(without, CROWD - (PINREG_ROWS - 1));
	pthread_barrier_wait(&meet);
	for (uint32_t i = 0; i < CROWD; i++)
		held_finish(&workers[i]);
	for (uint32_t i = 0; i < CROWD; i++)
		assert_false(held_any(i + 1));
	assert_false(held_any(1000));
	/* they all were given back */
	workers[0] = (struct held_worker){ .up = { 1 } };
	held_start(&workers[0]);
	held_finish(&workers[0]);
	assert_int_equal(workers[0].number, 1);
	pinreg_holds_close(held_holds);
}

/* ---- fork ---- */

/* In the child: a cache of its own, and the numbers of the parent's threads are free. */
static int child(void)
{
	held_open();
	pinreg_holds_up(held_holds, 2);
	bool well = pinreg_row_number == 5 && held_any(2);
	pinreg_row_number = 0; /* as in another thread */
	pinreg_holds_down(held_holds, 2);
	well = well && pinreg_row_number == 1 && !held_any(2);
	pinreg_holds_close(held_holds);
	return well ? 0 : 1;
}

static void fork__the_child_has_all_numbers(void **state)
{
	(void)state;
	pthread_barrier_t meet;
	struct held_worker workers[4];
	int status = -1;
	pthread_barrier_init(&meet, NULL, 5);
	held_open();
	for (unsigned int i = 0; i < 4; i++) {
		workers[i] = (struct held_worker){ .up = { 1 }, .down = { 1 }, .meet = &meet };
		held_start(&workers[i]);
	}
	pthread_barrier_wait(&meet);
	pinreg_holds_up(held_holds, 1);
	assert_int_equal(pinreg_row_number, 5);
	pid_t process = fork();
	if (!process)
		_exit(child());
	assert_int_equal(waitpid(process, &status, 0), process);
	assert_int_equal(status, 0);
	pthread_barrier_wait(&meet);
	for (unsigned int i = 0; i < 4; i++)
		held_finish(&workers[i]);
	pinreg_holds_down(held_holds, 1);
	assert_false(held_any(1));
	pinreg_holds_close(held_holds);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(thread_end__its_holds_stay),
	cmocka_unit_test(thread_end__the_row_is_inherited),
	cmocka_unit_test(thread_end__after_the_cache_is_closed),
	cmocka_unit_test(thread_end__put_by_a_destructor),
	cmocka_unit_test(rows__fewer_than_threads),
	cmocka_unit_test(fork__the_child_has_all_numbers),
};

TEST_MAIN(cases)
