/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_model.c -- a cache against a list, with random calls.
 *
 * PINREG_MODEL_CALLS and PINREG_TEST_SEED of the environment are for longer runs, and for
 * one that failed.
 */
#include <stdio.h>
#include <sys/mman.h>

#include "support/arena.h"
#include "support/cache_model.h"
#include "support/chance.h"
#include "support/test.h"

#define CALLS 250000u
#define PAGE TAGGED_PAGE
#define POINT 1024u /* ranges begin and end at one of these, so that some come again */
#define POINTS (MODEL_PAGES * PAGE / POINT)

static struct cache_model model;

/* ---- memory ---- */

static void set_pages(unsigned int first, unsigned int count, bool mapped, bool writable)
{
	for (unsigned int i = first; i < first + count; i++)
		model.pages[i] = (struct model_page){ mapped, writable };
}

static void map_pages(unsigned int first, unsigned int count, bool writable)
{
	unsigned char *addr = model.arena + first * PAGE;
	arena_map(addr, count * PAGE, PROT_READ | PROT_WRITE);
	tagged_fill(addr, count * PAGE);
	if (!writable)
		test_ok(mprotect(addr, count * PAGE, PROT_READ));
	set_pages(first, count, true, writable);
}

static bool can_be_emptied(unsigned int first, unsigned int count)
{
	for (unsigned int i = first; i < first + count; i++)
		if (!model.pages[i].mapped || !model.pages[i].writable)
			return false;
	return true;
}

static void change_pages(void)
{
	unsigned int first = chance_of(&model.state, MODEL_PAGES);
	unsigned int most = MODEL_PAGES - first < 8 ? MODEL_PAGES - first : 8;
	unsigned int count = 1 + chance_of(&model.state, most);
	unsigned char *addr = model.arena + first * PAGE;
	void *away = addr + MODEL_PAGES * PAGE;
	cache_model_begin_change(&model, first, count);
	switch (chance_of(&model.state, 8)) {
	case 0:
		test_ok(munmap(addr, count * PAGE));
		set_pages(first, count, false, false);
		break;
	case 1:
		map_pages(first, count, false);
		break;
	case 2:
	case 3:
		if (can_be_emptied(first, count)) {
			test_ok(madvise(addr, count * PAGE, MADV_DONTNEED));
			tagged_fill(addr, count * PAGE);
			break;
		}
		map_pages(first, count, true);
		break;
	case 4:
		/* of one mapping only */
		if (mremap(addr, count * PAGE, count * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, away) ==
		    MAP_FAILED)
			test_ok(munmap(addr, count * PAGE));
		munmap(away, count * PAGE);
		set_pages(first, count, false, false);
		break;
	default:
		map_pages(first, count, true);
	}
	cache_model_end_change(&model, first, count);
}

/* ---- calls ---- */

static void get_some(struct model_hold *hold)
{
	static const unsigned int accesses[] = {
		0,
		IBV_ACCESS_REMOTE_READ,
		IBV_ACCESS_REMOTE_READ,
		IBV_ACCESS_LOCAL_WRITE,
		IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE,
	};
	uint64_t base = (uintptr_t)model.arena;
	unsigned int first = chance_of(&model.state, POINTS);
	/* most are short, some are anything */
	unsigned int most = chance_of(&model.state, 8) ? 6 : POINTS;
	unsigned int count = 1 + chance_of(&model.state, most);
	if (count > POINTS - first)
		count = POINTS - first;
	cache_model_get(&model, hold, base + first * POINT, base + (first + count) * POINT,
			accesses[chance_of(&model.state, 5)], chance_of(&model.state, 64) == 0);
}

static void invalidate_some(void)
{
	uint64_t base = (uintptr_t)model.arena;
	uint64_t first = chance_of(&model.state, POINTS) * POINT;
	uint64_t count = (1 + chance_of(&model.state, 8)) * POINT;
	if (chance_of(&model.state, 50))
		cache_model_invalidate(&model, base + first, base + first + count);
	else
		cache_model_invalidate(&model, 0, 0);
}

static void step(void)
{
	unsigned int kind = chance_of(&model.state, 100);
	struct model_hold *hold = &model.holds[chance_of(&model.state, MODEL_HOLDS)];
	if (kind < 3)
		change_pages();
	else if (kind < 5)
		invalidate_some();
	else if (hold->handle)
		cache_model_put(&model, hold, chance_of(&model.state, 64) == 0);
	else
		get_some(hold);
	cache_model_check(&model);
}

static void run(const struct pinreg_cache_opts *opts, unsigned int register_fails,
		unsigned int deregister_fails)
{
	struct pinreg_domain *domain = tagged_domain(NULL);
	uint64_t calls = chance_setting("PINREG_MODEL_CALLS", CALLS);
	cache_model_open(&model, domain, opts);
	model.state = chance_new_seed();
	map_pages(0, MODEL_PAGES, true);
	model.register_fails = register_fails;
	model.deregister_fails = deregister_fails;
	for (uint64_t i = 0; i < calls; i++)
		step();
	printf("%lu hits, %lu misses, %lu merges, %lu evictions, %lu invalidations, %lu unkept\n",
	       (unsigned long)model.expected.hits, (unsigned long)model.expected.misses,
	       (unsigned long)model.expected.merges, (unsigned long)model.expected.evictions,
	       (unsigned long)model.expected.invalidations, (unsigned long)model.expected.unkept);
	cache_model_close(&model);
	tagged_domain_close(domain);
}

static void model__manual(void **state)
{
	(void)state;
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_MANUAL,
		.no_merge = 1,
		.max_regions = 200,
	};
	run(&opts, 0, 0);
}

static void model__manual_merges_within_limits(void **state)
{
	(void)state;
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_MANUAL,
		.max_regions = 30,
		.max_bytes = 60 * PAGE,
		.max_pinned = 64 * PAGE,
		.max_merge = 6 * PAGE,
	};
	run(&opts, 0, 0);
}

static void model__manual_in_use_beyond_limits(void **state)
{
	(void)state;
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_MANUAL,
		.max_regions = 8,
		.max_bytes = 10 * PAGE,
		.no_merge = 1,
	};
	run(&opts, 0, 0);
}

static void model__uffd(void **state)
{
	(void)state;
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_UFFD,
		.max_regions = 100,
	};
	run(&opts, 0, 0);
}

static void model__uffd_strict_without_merges(void **state)
{
	(void)state;
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_UFFD,
		.strict = 1,
		.no_merge = 1,
		.max_regions = 60,
	};
	run(&opts, 0, 0);
}

static void model__registering_fails(void **state)
{
	(void)state;
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_UFFD,
		.max_regions = 100,
	};
	run(&opts, 5, 0);
}

static void model__deregistering_fails(void **state)
{
	(void)state;
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_MANUAL,
		.max_regions = 40,
	};
	run(&opts, 11, 7);
}

static void model__wider_rights(void **state)
{
	(void)state;
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_UFFD,
		.max_regions = 100,
		.access = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ,
	};
	run(&opts, 0, 0);
}

static void model__odp(void **state)
{
	(void)state;
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_ODP,
		.method = PINREG_METHOD_ODP,
		.max_regions = 50,
	};
	run(&opts, 9, 0);
}

static void model__nothing_is_kept(void **state)
{
	(void)state;
	struct pinreg_cache_opts opts = { .size = sizeof(opts), .monitor = PINREG_MONITOR_ODP };
	run(&opts, 9, 7);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(model__manual),
	cmocka_unit_test(model__manual_merges_within_limits),
	cmocka_unit_test(model__manual_in_use_beyond_limits),
	cmocka_unit_test(model__uffd),
	cmocka_unit_test(model__uffd_strict_without_merges),
	cmocka_unit_test(model__registering_fails),
	cmocka_unit_test(model__deregistering_fails),
	cmocka_unit_test(model__wider_rights),
	cmocka_unit_test(model__odp),
	cmocka_unit_test(model__nothing_is_kept),
};

TEST_MAIN(cases)
