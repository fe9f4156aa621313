/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_interleave.c -- the life of a leased file, with another step or an error at
 * every call that the library makes: whatever comes when, no key is given out
 * without a lease, no lease is released with a registration alive, events come in a
 * legal order, and everything ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "domain.h"
#include "support/fake_device.h"
#include "support/hooks.h"
#include "support/inject.h"
#include "support/runs.h"
#include "support/test.h"

#define PAGES 4u
#define END_S 10

/* One life of a file. */
static struct life {
	struct pinreg_domain *domain;
	/* who closes writes, who uses the handles reads */
	pthread_rwlock_t handles;
	struct pinreg_file *_Atomic file;
	struct pinreg_region *_Atomic region;
	enum pinreg_event_type last; /* 0: held, nothing yet */
	_Atomic(uint64_t) generation;
	const char *_Atomic wrong; /* what was found, or NULL */
} life;

static char path[256], away[300];

static void wrong(const char *what)
{
	if (!life.wrong)
		life.wrong = what;
}

/* ---- what may happen in between ---- */

static void open_and_close(int flags)
{
	int fd = open(path, flags | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
}

static void step_reader(void)
{
	open_and_close(O_RDONLY);
}

static void step_writer(void)
{
	open_and_close(O_RDWR);
}

static void step_nonblock(void)
{
	open_and_close(O_RDONLY | O_NONBLOCK);
}

static void step_truncate(void)
{
	if (truncate(path, 4096) && errno != ENOENT)
		wrong("truncate failed");
}

static void step_rename(void)
{
	rename(path, away);
}

static void step_ack(void)
{
	pthread_rwlock_rdlock(&life.handles);
	if (life.file && pinreg_file_ack(life.file, life.generation))
		wrong("the ack was refused");
	pthread_rwlock_unlock(&life.handles);
}

static void step_register(void)
{
	struct pinreg_region *region = NULL;
	pthread_rwlock_rdlock(&life.handles);
	if (life.file) {
		int status = pinreg_file_register(life.file, 0, 4096, NULL, NULL, &region);
		if (status && status != -EAGAIN && status != -ESTALE)
			wrong("a registration failed with another errno");
		if (pinreg_region_deregister(region))
			wrong("a region could not be deregistered");
	}
	pthread_rwlock_unlock(&life.handles);
}

static void step_commit(void)
{
	pthread_rwlock_rdlock(&life.handles);
	if (life.region) {
		int status = pinreg_region_commit(life.region, 0, 4096);
		if (status && status != -EAGAIN && status != -ESTALE)
			wrong("a commit failed with another errno");
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
			wrong("entering failed with another errno");
		if (!status) {
			hooks_nap(1);
			pinreg_region_exit(life.region);
		}
	}
	pthread_rwlock_unlock(&life.handles);
}

static void close_handles(void)
{
	pthread_rwlock_wrlock(&life.handles);
	/* what the kernel refuses, and that twice at most, it takes at the next try */
	int status = -EBUSY;
	for (int i = 0; i < 3 && status; i++)
		status = pinreg_region_deregister(life.region);
	if (status)
		wrong("the region could not be deregistered");
	life.region = NULL;
	if (pinreg_file_close(life.file))
		wrong("the file could not be closed");
	life.file = NULL;
	pthread_rwlock_unlock(&life.handles);
}

static void step_close(void)
{
	close_handles();
}

/* ---- what must hold ---- */

static void check_event(const struct pinreg_event *event)
{
	enum pinreg_event_type last = life.last;
	switch (event->type) {
	case PINREG_EVENT_BREAK:
		if (last && last != PINREG_EVENT_RESTORED)
			wrong("BREAK of a file that is not held");
		break;
	case PINREG_EVENT_FENCED:
		if (last != PINREG_EVENT_BREAK)
			wrong("FENCED without BREAK");
		break;
	case PINREG_EVENT_RESTORED:
		if (last != PINREG_EVENT_FENCED)
			wrong("RESTORED without FENCED");
		break;
	case PINREG_EVENT_LOST:
		if (last != PINREG_EVENT_FENCED)
			wrong("LOST without FENCED");
		break;
	default:
		wrong("an event of another kind");
	}
	uint64_t expected = life.generation + (event->type == PINREG_EVENT_RESTORED);
	if (event->generation != expected)
		wrong("the generation does not count returns");
	if (event->missed)
		wrong("events were dropped");
	life.generation = expected;
	life.last = event->type;
}

/* A key that is given out while nothing changes needs a lease. */
static void check_keys(void)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	pthread_rwlock_rdlock(&life.handles);
	if (life.region) {
		unsigned int before = inject_lease_epoch();
		int status = pinreg_region_keys(life.region, &keys);
		if (!status && before % 2 && inject_lease_epoch() == before)
			wrong("a key was given out without a lease");
		if (status && status != -EAGAIN && status != -ESTALE)
			wrong("keys were refused with another errno");
	}
	pthread_rwlock_unlock(&life.handles);
}

static enum pinreg_file_state state_now(void)
{
	struct pinreg_file_info info = { .size = sizeof(info) };
	enum pinreg_file_state state = PINREG_FILE_LOST;
	pthread_rwlock_rdlock(&life.handles);
	if (life.file && !pinreg_file_query(life.file, &info))
		state = info.state;
	pthread_rwlock_unlock(&life.handles);
	return state;
}

static void take_events(void)
{
	struct pinreg_event event = { .size = sizeof(event) };
	while (!pinreg_domain_next_event(life.domain, &event))
		check_event(&event);
}

static bool is_settled(void)
{
	enum pinreg_file_state state = state_now();
	bool closed = !life.file;
	take_events();
	if (closed)
		return true;
	if (state == PINREG_FILE_LOST)
		return life.last == PINREG_EVENT_LOST;
	return state == PINREG_FILE_HELD && (!life.last || life.last == PINREG_EVENT_RESTORED);
}

/* Until nothing more is to come. */
static void settle(void)
{
	struct pollfd events = { .fd = pinreg_domain_event_fd(life.domain), .events = POLLIN };
	for (int i = 0; i < END_S * 500; i++) {
		check_keys();
		if (is_settled())
			return;
		poll(&events, 1, 2);
	}
	wrong("it does not come to an end");
}

/* ---- the lives ---- */

static const struct pinreg_sys *sys;

static void begin_life(void)
{
	struct pinreg_device device;
	struct pinreg_domain_opts opts = {
		.size = sizeof(opts),
		.quiesce_ms = 1,
		.odp_trust = PINREG_TRUST_FULL,
	};
	life = (struct life){ .generation = 1 };
	pthread_rwlock_init(&life.handles, NULL);
	unlink(away);
	host_file(path, PAGES);
	fake_device_use(&device);
	test_ok(pinreg_domain_open_with(sys, device.pd, &opts, &life.domain));
}

/* May be refused: somebody may have come, or a call have failed. */
static void open_file(void)
{
	struct pinreg_file *file = NULL;
	struct pinreg_region *region = NULL;
	if (pinreg_file_open(life.domain, AT_FDCWD, path, &hooks_cache_ok, NULL, &file))
		return;
	life.file = file;
	pthread_rwlock_rdlock(&life.handles);
	if (life.file && !pinreg_file_register(life.file, 0, 0, NULL, NULL, &region))
		life.region = region;
	pthread_rwlock_unlock(&life.handles);
}

static void *break_it(void *flags)
{
	inject_exempt();
	open_and_close(*(int *)flags);
	return NULL;
}

/* The same for every n: open, register, be broken, return, close. */
static void live(int breaker_flags)
{
	pthread_t breaker;
	open_file();
	pthread_create(&breaker, NULL, break_it, &breaker_flags);
	if (life.file) {
		struct pollfd events = { .fd = pinreg_domain_event_fd(life.domain),
					 .events = POLLIN };
		poll(&events, 1, 20); /* the first break may be the other's */
		settle();
	}
	pthread_join(breaker, NULL);
	if (life.file)
		settle();
	close_handles();
}

static unsigned int open_descriptors(void)
{
	unsigned int count = 0;
	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void end_life(unsigned int descriptors)
{
	if (inject_released_live())
		wrong("a lease was released with a registration alive");
	if (fake_device_regions())
		wrong("a registration is left");
	if (open_descriptors() != descriptors)
		wrong("a descriptor is left");
	pthread_rwlock_destroy(&life.handles);
}

/* One life with that in between. Did the first of it happen? */
static bool try_life(const struct inject *injects, unsigned int count, int breaker_flags)
{
	static unsigned int descriptors;
	begin_life();
	inject_arm(injects, count);
	live(breaker_flags);
	bool happened = inject_disarm();
	if (pinreg_domain_close(life.domain))
		wrong("the domain could not be closed");
	/* the first life leaves what the process keeps: a descriptor of its memory map */
	if (!descriptors)
		descriptors = open_descriptors();
	end_life(descriptors);
	if (life.wrong)
		fail_msg("at call %u (and %u), %s: %s", injects[0].n, count > 1 ? injects[1].n : 0,
			 inject_where(), life.wrong);
	return happened;
}

static void prepare_lives(void)
{
	snprintf(path, sizeof(path), "%s", host_path(host_directory(), "file"));
	snprintf(away, sizeof(away), "%s-away", path);
	fake_device_reset();
	fake_device.attr.orig_attr.max_mr_size = UINT64_MAX;
	sys = inject_table();
	try_life(&(struct inject){ 0 }, 1, O_RDONLY);
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
		happened = try_life(injects, gap ? 2 : 1, breaker_flags);
	}
	print_message("%u places\n", n);
	assert_true(n > 30);
}

static void try_step(inject_step *step)
{
	prepare_lives();
	try_everywhere(step, NULL, 0, O_RDONLY);
	try_everywhere(step, NULL, 0, O_RDWR | O_NONBLOCK);
}

static void try_pair(inject_step *first, inject_step *second)
{
	static const unsigned int gaps[] = { 1, 2, 3, 5, 8, 13 };
	prepare_lives();
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
