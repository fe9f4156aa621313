/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * torture.c -- threads that map memory at the same addresses again and again, and get
 * regions of it from a cache.
 */
#include "support/torture.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "support/arena.h"
#include "support/chance.h"
#include "support/test.h"
#include "sys/sys.h"

#define PAGE 4096u
#define WINDOW (TORTURE_PAGES * PAGE)
#define HOLDS 6u
#define ALL (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)

/* A region that was not put yet. */
struct hold {
	struct pinreg_region *region; /* NULL: none */
	struct pinreg_keys keys;
	unsigned char *addr;
	size_t length;
	unsigned int access;
	bool torn; /* a part of its memory is gone */
};

struct worker {
	struct torture *torture;
	uint64_t state; /* of what is random */
	void *mover;
	unsigned char *elsewhere; /* where a window can be moved to */
	unsigned char *window;
	unsigned int number; /* of the window */
	struct hold holds[HOLDS];
};

static void give_up(struct torture *torture, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void give_up(struct torture *torture, const char *format, ...)
{
	va_list args;
	if (atomic_exchange(&torture->failed, true))
		return;
	va_start(args, format);
	vsnprintf(torture->failure, sizeof(torture->failure), format, args);
	va_end(args);
	torture->stop = true;
}

static void fill(struct worker *worker, unsigned char *addr, size_t length)
{
	worker->torture->fill(addr, length, ++worker->torture->fills);
}

/* ---- regions ---- */

static void look_at(struct worker *worker, const struct hold *hold)
{
	struct torture *torture = worker->torture;
	const char *wrong = "the keys do not work while the region is held";
	bool good;
	if (hold->torn)
		good = !torture->alive || torture->alive(worker->mover, &hold->keys, hold->access);
	else
		good = torture->leads(worker->mover, &hold->keys, hold->addr, hold->length,
				      hold->access, &wrong);
	if (!good)
		give_up(torture, "%zu bytes at %p: %s", hold->length, (void *)hold->addr, wrong);
}

static void get(struct worker *worker)
{
	static const unsigned int accesses[] = { 0, IBV_ACCESS_REMOTE_READ, IBV_ACCESS_LOCAL_WRITE,
						 ALL };
	struct hold *hold = &worker->holds[chance_of(&worker->state, HOLDS)];
	unsigned int access = accesses[chance_of(&worker->state, 4)];
	bool usual = chance_of(&worker->state, 4); /* one of a few ranges, that come again */
	unsigned int first =
		usual ? chance_of(&worker->state, 3) * 2 * PAGE : chance_of(&worker->state, WINDOW);
	struct pinreg_why why;
	if (hold->region)
		return;
	hold->addr = worker->window + first;
	hold->length = usual ? 2 * PAGE : 1 + chance_of(&worker->state, WINDOW - first);
	hold->access = access ? access : ALL;
	hold->torn = false;
	hold->keys = (struct pinreg_keys){ .size = sizeof(hold->keys) };
	int status = pinreg_cache_get(worker->torture->cache, hold->addr, hold->length, access,
				      &hold->keys, &why, &hold->region);
	if (status) {
		hold->region = NULL;
		give_up(worker->torture, "get gives %d: %s", status,
			pinreg_reason_name(why.reason));
		return;
	}
	worker->torture->gets++;
	look_at(worker, hold);
}

/* One way or the other: this thread, or the next that comes by. */
static void put(struct worker *worker, struct pinreg_region *region)
{
	struct torture *torture = worker->torture;
	struct pinreg_region *now = region;
	if (chance_of(&worker->state, 4) == 0) {
		unsigned int place = chance_of(&worker->state, TORTURE_GIFTS);
		pthread_mutex_lock(&torture->lock);
		now = torture->gifts[place];
		torture->gifts[place] = region;
		pthread_mutex_unlock(&torture->lock);
	}
	int status = pinreg_cache_put(torture->cache, now);
	if (status)
		give_up(torture, "put gives %d", status);
}

static void let_go(struct worker *worker, struct hold *hold)
{
	if (!hold->region)
		return;
	look_at(worker, hold);
	put(worker, hold->region);
	hold->region = NULL;
}

/* ---- memory ---- */

/* Before [addr, addr + length) goes. */
static void tear(struct worker *worker, const unsigned char *addr, size_t length)
{
	struct torture *torture = worker->torture;
	for (struct hold *hold = worker->holds; hold < worker->holds + HOLDS; hold++) {
		if (!hold->region)
			continue;
		look_at(worker, hold);
		if (hold->addr < addr + length && addr < hold->addr + hold->length) {
			hold->torn = true;
			torture->torn++;
		}
	}
	if (torture->manual &&
	    pinreg_cache_invalidate(torture->cache, (void *)(uintptr_t)addr, length))
		give_up(torture, "invalidate fails");
}

/* Another mapping, or other pages, in a part of the window. */
static void renew_part(struct worker *worker)
{
	unsigned int first = chance_of(&worker->state, TORTURE_PAGES);
	unsigned int pages = 1 + chance_of(&worker->state, TORTURE_PAGES - first);
	unsigned char *addr = worker->window + first * PAGE;
	size_t length = pages * PAGE;
	tear(worker, addr, length);
	if (chance_of(&worker->state, worker->torture->empties ? 2 : 1000) == 0)
		test_ok(madvise(addr, length, MADV_DONTNEED));
	else
		arena_map(addr, length, PROT_READ | PROT_WRITE);
	fill(worker, addr, length);
}

static bool enter_window(struct worker *worker)
{
	struct torture *torture = worker->torture;
	worker->number = chance_of(&worker->state, TORTURE_WINDOWS);
	worker->window = torture->arena + (size_t)worker->number * WINDOW;
	if (torture->strict) {
		if (!arena_try(worker->window, WINDOW))
			return false;
	} else {
		if (atomic_exchange(&torture->taken[worker->number], true))
			return false;
		arena_map(worker->window, WINDOW, PROT_READ | PROT_WRITE);
	}
	torture->maps++;
	fill(worker, worker->window, WINDOW);
	return true;
}

static void leave_window(struct worker *worker)
{
	unsigned char *addr = worker->window;
	tear(worker, addr, WINDOW);
	/* which is possible while it is one mapping */
	if (chance_of(&worker->state, 2) &&
	    mremap(addr, WINDOW, WINDOW, MREMAP_MAYMOVE | MREMAP_FIXED, worker->elsewhere) ==
		    worker->elsewhere)
		addr = worker->elsewhere;
	test_ok(munmap(addr, WINDOW));
	worker->torture->taken[worker->number] = false;
	/* some stay a while without their memory */
	for (struct hold *hold = worker->holds; hold < worker->holds + HOLDS; hold++)
		if (chance_of(&worker->state, 2))
			let_go(worker, hold);
}

static void *work(void *context)
{
	struct torture *torture = context;
	unsigned int number = torture->next_thread++;
	struct worker worker = {
		.torture = torture,
		.state = torture->seed + number,
		.elsewhere = torture->arena + (TORTURE_WINDOWS + 2 * number + 1) * WINDOW,
		.mover = torture->begin ? torture->begin() : NULL,
	};
	while (!torture->stop) {
		if (!enter_window(&worker))
			continue;
		for (unsigned int turns = chance_of(&worker.state, 40); turns; turns--) {
			if (chance_of(&worker.state, 10) == 0)
				renew_part(&worker);
			if (chance_of(&worker.state, 3))
				get(&worker);
			else
				let_go(&worker, &worker.holds[chance_of(&worker.state, HOLDS)]);
		}
		leave_window(&worker);
	}
	for (struct hold *hold = worker.holds; hold < worker.holds + HOLDS; hold++)
		let_go(&worker, hold);
	if (torture->end)
		torture->end(worker.mover);
	return NULL;
}

void torture_run(struct torture *torture)
{
	pthread_t threads[32];
	struct timespec pause = { .tv_nsec = 10 * 1000000 };
	assert_true(torture->threads <= 32);
	torture->arena = arena_open((TORTURE_WINDOWS + 2 * torture->threads + 2) * WINDOW);
	pthread_mutex_init(&torture->lock, NULL);
	for (unsigned int i = 0; i < torture->threads; i++)
		test_ok(-pthread_create(&threads[i], NULL, work, torture));
	uint64_t end = pinreg_sys_real.now_ns() + torture->seconds * 1000000000ull;
	while (pinreg_sys_real.now_ns() < end && !torture->stop)
		nanosleep(&pause, NULL);
	torture->stop = true;
	for (unsigned int i = 0; i < torture->threads; i++)
		pthread_join(threads[i], NULL);
	for (unsigned int i = 0; i < TORTURE_GIFTS; i++)
		if (pinreg_cache_put(torture->cache, torture->gifts[i]))
			give_up(torture, "put fails");
}
