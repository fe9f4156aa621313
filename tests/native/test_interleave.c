/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_interleave.c -- the life of a leased file, with another step or an error at
 * every call that the library makes: whatever comes when, no key is given out
 * without a lease, no lease is released with a registration alive, events come in a
 * legal order, and everything ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "support/hooks.h"
#include "support/life.h"
#include "support/test.h"

/* ---- what may happen in between ---- */

static void step_reader(void)
{
	life_visit(O_RDONLY);
}

static void step_writer(void)
{
	life_visit(O_RDWR);
}

static void step_nonblock(void)
{
	life_visit(O_RDONLY | O_NONBLOCK);
}

static void step_truncate(void)
{
	if (truncate(life_path, 4096) && errno != ENOENT)
		life_wrong("truncate failed");
}

static void step_rename(void)
{
	rename(life_path, life_away);
}

static void step_ack(void)
{
	pthread_rwlock_rdlock(&life.handles);
	if (life.file && pinreg_file_ack(life.file, life.generation))
		life_wrong("the ack was refused");
	pthread_rwlock_unlock(&life.handles);
}

static void step_register(void)
{
	struct pinreg_region *region = NULL;
	pthread_rwlock_rdlock(&life.handles);
	if (life.file) {
		int status = pinreg_file_register(life.file, 0, 4096, NULL, NULL, &region);
		if (status && status != -EAGAIN && status != -ESTALE)
			life_wrong("a registration failed with another errno");
		if (pinreg_region_deregister(region))
			life_wrong("a region could not be deregistered");
	}
	pthread_rwlock_unlock(&life.handles);
}

static void step_commit(void)
{
	pthread_rwlock_rdlock(&life.handles);
	if (life.region) {
		int status = pinreg_region_commit(life.region, 0, 4096);
		if (status && status != -EAGAIN && status != -ESTALE)
			life_wrong("a commit failed with another errno");
	}
	pthread_rwlock_unlock(&life.handles);
}

/* Whoever is inside is waited for; who is not let in is told so. */
static void step_enter(void)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	pthread_rwlock_rdlock(&life.handles);
	if (life.region) {
		int status = pinreg_region_enter(life.region, &keys);
		if (status && status != -EAGAIN && status != -ESTALE)
			life_wrong("entering failed with another errno");
		if (!status) {
			hooks_nap(1);
			pinreg_region_exit(life.region);
		}
	}
	pthread_rwlock_unlock(&life.handles);
}

static void step_close(void)
{
	life_close_handles();
}

/* At every call until there are no more; second: so many calls later, or 0. */
static void try_everywhere(inject_step *first, inject_step *second, unsigned int gap,
			   int breaker_flags)
{
	bool happened = true;
	unsigned int n = 0;
	while (happened) {
		n++;
		const struct inject injects[] = { { n, first }, { n + gap, second } };
		happened = life_try(injects, gap ? 2 : 1, breaker_flags);
	}
	print_message("%u places\n", n);
	assert_true(n > 30);
}

static void try_step(inject_step *step)
{
	life_prepare();
	try_everywhere(step, NULL, 0, O_RDONLY);
	try_everywhere(step, NULL, 0, O_RDWR | O_NONBLOCK);
}

static void try_pair(inject_step *first, inject_step *second)
{
	static const unsigned int gaps[] = { 1, 2, 3, 5, 8, 13 };
	life_prepare();
	for (unsigned int i = 0; i < sizeof(gaps) / sizeof(gaps[0]); i++)
		try_everywhere(first, second, gaps[i], O_RDONLY);
}

static void interleave__another_reader(void **state)
{
	(void)state;
	try_step(step_reader);
}

static void interleave__another_writer(void **state)
{
	(void)state;
	try_step(step_writer);
}

static void interleave__who_does_not_wait(void **state)
{
	(void)state;
	try_step(step_nonblock);
}

static void interleave__truncate(void **state)
{
	(void)state;
	try_step(step_truncate);
}

static void interleave__rename(void **state)
{
	(void)state;
	try_step(step_rename);
}

static void interleave__ack(void **state)
{
	(void)state;
	try_step(step_ack);
}

static void interleave__register(void **state)
{
	(void)state;
	try_step(step_register);
}

static void interleave__commit(void **state)
{
	(void)state;
	try_step(step_commit);
}

static void interleave__enter(void **state)
{
	(void)state;
	try_step(step_enter);
}

static void interleave__close(void **state)
{
	(void)state;
	try_step(step_close);
}

static void interleave__a_call_fails(void **state)
{
	(void)state;
	try_step(NULL);
}

static void pair__reader_and_writer(void **state)
{
	(void)state;
	try_pair(step_reader, step_writer);
}

static void pair__writer_and_close(void **state)
{
	(void)state;
	try_pair(step_writer, step_close);
}

static void pair__truncate_and_register(void **state)
{
	(void)state;
	try_pair(step_truncate, step_register);
}

static void pair__commit_and_reader(void **state)
{
	(void)state;
	try_pair(step_commit, step_nonblock);
}

static void pair__failure_and_reader(void **state)
{
	(void)state;
	try_pair(NULL, step_reader);
}

static void pair__failure_and_close(void **state)
{
	(void)state;
	try_pair(NULL, step_close);
}

static void pair__two_failures(void **state)
{
	(void)state;
	try_pair(NULL, NULL);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(interleave__another_reader),
	cmocka_unit_test(interleave__another_writer),
	cmocka_unit_test(interleave__who_does_not_wait),
	cmocka_unit_test(interleave__truncate),
	cmocka_unit_test(interleave__rename),
	cmocka_unit_test(interleave__ack),
	cmocka_unit_test(interleave__register),
	cmocka_unit_test(interleave__commit),
	cmocka_unit_test(interleave__enter),
	cmocka_unit_test(interleave__close),
	cmocka_unit_test(interleave__a_call_fails),
	cmocka_unit_test(pair__reader_and_writer),
	cmocka_unit_test(pair__writer_and_close),
	cmocka_unit_test(pair__truncate_and_register),
	cmocka_unit_test(pair__commit_and_reader),
	cmocka_unit_test(pair__failure_and_reader),
	cmocka_unit_test(pair__failure_and_close),
	cmocka_unit_test(pair__two_failures),
};

TEST_MAIN(cases)
