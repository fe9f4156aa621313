/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_held_up.c -- how long somebody who opens a file waits while a large shadow
 * of it is filled again, or committed.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "support/leased.h"
#include "support/rdma.h"
#include "support/test.h"

/* To copy it takes the emulated guest longer than anybody may wait. */
#define LENGTH ((uint64_t)256 << 20)
#define BOUND_NS ((uint64_t)100000000)

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static double ms(uint64_t ns)
{
	return (double)ns / 1e6;
}

/*
 * Open it and close it at once. How long that took. By this process: a fork
 * copies all that is pinned, which takes longer than what is measured.
 */
static uint64_t open_it(const struct leased *leased)
{
	uint64_t begun = now_ns();
	int fd = open(leased->path, O_RDONLY | O_CLOEXEC);
	uint64_t waited = now_ns() - begun;
	test_ok(fd);
	close(fd);
	return waited;
}

static enum pinreg_file_state state_of(const struct leased *leased)
{
	struct pinreg_file_info info = { .size = sizeof(info) };
	test_ok(pinreg_file_query(leased->file, &info));
	return info.state;
}

static void wait_for(const struct leased *leased, enum pinreg_file_state wanted)
{
	for (int i = 0; i < 50000 && state_of(leased) != wanted; i++)
		usleep(200);
	assert_int_equal(state_of(leased), wanted);
}

/* How long it takes when nobody comes. */
static uint64_t restore_undisturbed(const struct leased *leased)
{
	open_it(leased);
	wait_for(leased, PINREG_FILE_REVALIDATE);
	uint64_t begun = now_ns();
	wait_for(leased, PINREG_FILE_HELD);
	return now_ns() - begun;
}

static void restore__somebody_comes_in_the_middle(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEASED_MOUNTS; i++) {
		struct leased leased;
		unsigned int in_the_middle = 0;
		leased_open(&leased, leased_mounts[i], LENGTH);
		leased_register_shadow(&leased);
		uint64_t whole = restore_undisturbed(&leased);
		for (uint64_t eighth = 1; eighth < 8; eighth++) {
			open_it(&leased);
			wait_for(&leased, PINREG_FILE_REVALIDATE);
			usleep((useconds_t)(whole * eighth / 8000));
			bool middle = state_of(&leased) == PINREG_FILE_REVALIDATE;
			uint64_t waited = open_it(&leased);
			printf("%s: %s %.0f ms of restoring, which takes %.0f: waited %.3f ms\n",
			       leased_mounts[i], middle ? "after" : "done after",
			       ms(whole * eighth / 8), ms(whole), ms(waited));
			assert_true(waited < BOUND_NS);
			in_the_middle += middle;
			wait_for(&leased, PINREG_FILE_HELD);
		}
		assert_true(in_the_middle > 0);
		leased_remove(&leased);
	}
}

static void *commit_until_fenced(void *region)
{
	while (!pinreg_region_commit(region, 0, LENGTH))
		;
	return NULL;
}

static void commit__somebody_comes_in_the_middle(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEASED_MOUNTS; i++) {
		struct leased leased;
		pthread_t thread;
		leased_open(&leased, leased_mounts[i], LENGTH);
		leased_register_shadow(&leased);
		uint64_t begun = now_ns();
		test_ok(pinreg_region_commit(leased.region, 0, LENGTH));
		uint64_t whole = now_ns() - begun;
		pthread_create(&thread, NULL, commit_until_fenced, leased.region);
		usleep(10000);
		uint64_t waited = open_it(&leased);
		pthread_join(thread, NULL);
		printf("%s: beside a commit, which takes %.0f ms: waited %.3f ms\n",
		       leased_mounts[i], ms(whole), ms(waited));
		assert_true(waited < BOUND_NS);
		wait_for(&leased, PINREG_FILE_HELD);
		leased_remove(&leased);
	}
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(restore__somebody_comes_in_the_middle),
	cmocka_unit_test(commit__somebody_comes_in_the_middle),
};

TEST_MAIN(cases)
