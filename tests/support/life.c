/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * life.c -- one life of a leased file, and what must hold in it.
 */
#include "support/life.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "domain.h"
#include "support/hooks.h"
#include "support/test.h"

#define PAGES 4u
#define END_S 10

struct life life;
char life_path[256], life_away[300];
static const struct pinreg_sys *sys;

void life_wrong(const char *what)
{
	if (!life.wrong)
		life.wrong = what;
}

void life_visit(int flags)
{
	int fd = open(life_path, flags | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
}

void life_close_handles(void)
{
	pthread_rwlock_wrlock(&life.handles);
	/* what the kernel refuses, and that twice at most, it takes at the next try */
	int status = -EBUSY;
	for (int i = 0; i < 3 && status; i++)
		status = pinreg_region_deregister(life.region);
	if (status)
		life_wrong("the region could not be deregistered");
	life.region = NULL;
	if (pinreg_file_close(life.file))
		life_wrong("the file could not be closed");
	life.file = NULL;
	pthread_rwlock_unlock(&life.handles);
}

/* ---- what must hold ---- */

static void check_event(const struct pinreg_event *event)
{
	enum pinreg_event_type last = life.last;
	switch (event->type) {
	case PINREG_EVENT_BREAK:
		if (last && last != PINREG_EVENT_RESTORED)
			life_wrong("BREAK of a file that is not held");
		break;
	case PINREG_EVENT_FENCED:
		if (last != PINREG_EVENT_BREAK)
			life_wrong("FENCED without BREAK");
		break;
	case PINREG_EVENT_RESTORED:
		if (last != PINREG_EVENT_FENCED)
			life_wrong("RESTORED without FENCED");
		break;
	case PINREG_EVENT_LOST:
		if (last != PINREG_EVENT_FENCED)
			life_wrong("LOST without FENCED");
		break;
	default:
		life_wrong("an event of another kind");
	}
	uint64_t expected = life.generation + (event->type == PINREG_EVENT_RESTORED);
	if (event->generation != expected)
		life_wrong("the generation does not count returns");
	if (event->missed)
		life_wrong("events were dropped");
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
			life_wrong("a key was given out without a lease");
		if (status && status != -EAGAIN && status != -ESTALE)
			life_wrong("keys were refused with another errno");
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
	life_wrong("it does not come to an end");
}

/* ---- the lives ---- */

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
	unlink(life_away);
	host_file(life_path, PAGES);
	fake_device_use(&device);
	test_ok(pinreg_domain_open_with(sys, device.pd, &opts, &life.domain));
}

/* May be refused: somebody may have come, or a call have failed. */
static void open_file(void)
{
	struct pinreg_file *file = NULL;
	struct pinreg_region *region = NULL;
	if (pinreg_file_open(life.domain, AT_FDCWD, life_path, &hooks_cache_ok, NULL, &file))
		return;
	/* not while somebody is about to forget the handles that he has closed */
	pthread_rwlock_wrlock(&life.handles);
	life.file = file;
	pthread_rwlock_unlock(&life.handles);
	pthread_rwlock_rdlock(&life.handles);
	if (life.file && !pinreg_file_register(life.file, 0, 0, NULL, NULL, &region))
		life.region = region;
	pthread_rwlock_unlock(&life.handles);
}

static void *break_it(void *flags)
{
	inject_exempt();
	life_visit(*(int *)flags);
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
	life_close_handles();
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
		life_wrong("a lease was released with a registration alive");
	if (fake_device_regions())
		life_wrong("a registration is left");
	if (open_descriptors() != descriptors)
		life_wrong("a descriptor is left");
	pthread_rwlock_destroy(&life.handles);
}

bool life_try(const struct inject *injects, unsigned int count, int breaker_flags)
{
	static unsigned int descriptors;
	begin_life();
	inject_arm(injects, count);
	live(breaker_flags);
	bool happened = inject_disarm();
	if (pinreg_domain_close(life.domain))
		life_wrong("the domain could not be closed");
	/* the first life leaves what the process keeps: a descriptor of its memory map */
	if (!descriptors)
		descriptors = open_descriptors();
	end_life(descriptors);
	if (life.wrong)
		fail_msg("at call %u (and %u), %s: %s", injects[0].n, count > 1 ? injects[1].n : 0,
			 inject_where(), life.wrong);
	return happened;
}

void life_prepare(void)
{
	snprintf(life_path, sizeof(life_path), "%s", host_path(host_directory(), "file"));
	snprintf(life_away, sizeof(life_away), "%s-away", life_path);
	fake_device_reset();
	fake_device.attr.orig_attr.max_mr_size = UINT64_MAX;
	sys = inject_table();
	life_try(&(struct inject){ 0 }, 1, O_RDONLY);
}
