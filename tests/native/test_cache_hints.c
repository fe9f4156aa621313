/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_hints.c -- what was said to be at an address is found there, nearly always,
 * and nothing is ever found that is no slot.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "cache/hints.h"
#include "support/test.h"

#define BASE 0x7f1200000000u
#define SLOTS 70000u

static struct {
	struct pinreg_hints hints;
	_Atomic(uint64_t) start[SLOTS + 1];
	_Atomic(bool) dead[SLOTS + 1];
} scene;

static bool start_of(void *context, uint32_t slot, uint64_t *start)
{
	assert_ptr_equal(context, &scene);
	assert_in_range(slot, 1, SLOTS);
	*start = scene.start[slot];
	return !scene.dead[slot];
}

static void open_hints(uint32_t max)
{
	test_ok(pinreg_hints_open(&scene.hints, &pinreg_sys_real, max, start_of, &scene));
}

static void close_hints(void)
{
	pinreg_hints_close(&scene.hints);
	assert_null(scene.hints.table);
}

/* A region in slot, which starts at addr. */
static void set_start(uint64_t addr, uint32_t slot, uint32_t regions)
{
	scene.start[slot] = addr;
	pinreg_hints_set(&scene.hints, addr, slot, regions);
}

static unsigned int times_found(uint64_t addr, uint32_t slot)
{
	struct pinreg_hints_found found = pinreg_hints_find(&scene.hints, addr);
	unsigned int times = 0;
	unsigned int all = 0;
	for (uint32_t next; (next = pinreg_hints_next(&found)); all++)
		times += next == slot;
	assert_in_range(all, 0, 8);
	assert_int_equal(pinreg_hints_next(&found), 0);
	return times;
}

static uint64_t entries_in_use(void)
{
	return ((uint64_t)scene.hints.mask + 1) * PINREG_HINTS_GROUP;
}

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* ---- one by one ---- */

static void find__in_an_empty_table(void **state)
{
	(void)state;
	open_hints(100);
	for (uint64_t addr = 0; addr < 100000; addr++) {
		struct pinreg_hints_found found = pinreg_hints_find(&scene.hints, addr);
		assert_int_equal(pinreg_hints_next(&found), 0);
	}
	close_hints();
}

static void find__the_ends_of_the_address_space(void **state)
{
	(void)state;
	static const uint64_t addrs[] = { 0, 1, 4096, UINT64_MAX, UINT64_MAX - 4095, 1ull << 63 };
	const uint32_t count = sizeof(addrs) / sizeof(addrs[0]);
	open_hints(PINREG_HINTS_SLOT);
	for (uint32_t i = 0; i < count; i++)
		pinreg_hints_set(&scene.hints, addrs[i], PINREG_HINTS_SLOT - i, 1);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(times_found(addrs[i], PINREG_HINTS_SLOT - i), 1);
	close_hints();
}

static void find__every_tag(void **state)
{
	(void)state;
	bool seen[256] = { false };
	open_hints(SLOTS);
	for (uint32_t i = 1; i <= 4096; i++) {
		uint64_t addr = BASE + (uint64_t)i * 4096;
		seen[pinreg_hints_tag(pinreg_hints_hash(addr))] = true;
		set_start(addr, i, SLOTS);
		assert_int_equal(times_found(addr, i), 1);
	}
	for (unsigned int tag = 0; tag < 256; tag++)
		assert_true(seen[tag]);
	close_hints();
}

static void find__several_slots_of_one_address(void **state)
{
	(void)state;
	open_hints(100);
	for (uint32_t slot = 1; slot <= 8; slot++)
		set_start(BASE, slot, 8);
	for (uint32_t slot = 1; slot <= 8; slot++)
		assert_int_equal(times_found(BASE, slot), 1);
	close_hints();
}

static void set__again_takes_no_second_place(void **state)
{
	(void)state;
	open_hints(100);
	for (unsigned int i = 0; i < 100; i++)
		set_start(BASE, 7, 1);
	assert_int_equal(times_found(BASE, 7), 1);
	close_hints();
}

/* The address was mapped and registered again, in another slot each time. */
static void set__the_newest_is_found_first(void **state)
{
	(void)state;
	open_hints(100);
	for (uint32_t slot = 1; slot <= 100; slot++) {
		set_start(BASE, slot, 1);
		struct pinreg_hints_found found = pinreg_hints_find(&scene.hints, BASE);
		assert_int_equal(pinreg_hints_next(&found), slot);
		scene.dead[slot] = slot % 3;
	}
	close_hints();
}

static void drop__only_that_one(void **state)
{
	(void)state;
	open_hints(100);
	set_start(BASE, 1, 2);
	set_start(BASE, 2, 2);
	pinreg_hints_drop(&scene.hints, BASE, 3);
	pinreg_hints_drop(&scene.hints, BASE + 4096, 1);
	assert_int_equal(times_found(BASE, 1), 1);
	pinreg_hints_drop(&scene.hints, BASE, 1);
	assert_int_equal(times_found(BASE, 1), 0);
	assert_int_equal(times_found(BASE, 2), 1);
	close_hints();
}

static void drop__in_the_other_group(void **state)
{
	(void)state;
	open_hints(100);
	for (uint32_t slot = 1; slot <= 8; slot++)
		set_start(BASE, slot, 8);
	for (uint32_t slot = 1; slot <= 8; slot++) {
		pinreg_hints_drop(&scene.hints, BASE, slot);
		for (uint32_t i = 1; i <= 8; i++)
			assert_int_equal(times_found(BASE, i), i > slot);
	}
	close_hints();
}

/* ---- full ---- */

static bool same_places(uint64_t a, uint64_t b)
{
	uint32_t mask = scene.hints.mask;
	return pinreg_hints_group(pinreg_hints_hash(a), mask) / 2 ==
	       pinreg_hints_group(pinreg_hints_hash(b), mask) / 2;
}

/* Regions 1 to count whose hints all want the same eight places; another tag each. */
static void crowd(uint32_t count)
{
	uint64_t addr = BASE;
	for (uint32_t slot = 1; slot <= count; slot++, addr += 4096) {
		while (!same_places(addr, BASE))
			addr += 4096;
		set_start(addr, slot, count);
	}
}

static unsigned int count_found(uint32_t first, uint32_t last)
{
	unsigned int count = 0;
	for (uint32_t slot = first; slot <= last; slot++)
		count += times_found(scene.start[slot], slot);
	return count;
}

static void full__the_new_one_is_found(void **state)
{
	(void)state;
	open_hints(100);
	crowd(8);
	assert_int_equal(count_found(1, 8), 8);
	for (uint32_t count = 9; count <= 50; count++) {
		crowd(count);
		assert_int_equal(times_found(scene.start[count], count), 1);
		assert_int_equal(count_found(1, count), 8);
	}
	close_hints();
}

static void full__what_leads_nowhere_goes_first(void **state)
{
	(void)state;
	open_hints(100);
	crowd(8);
	scene.dead[3] = scene.dead[6] = true;
	crowd(8); /* all there: nothing changes */
	assert_int_equal(count_found(1, 8), 8);
	set_start(scene.start[1], 20, 9);
	set_start(scene.start[1], 21, 9);
	assert_int_equal(count_found(20, 21), 2);
	assert_int_equal(count_found(1, 8), 6);
	assert_int_equal(times_found(scene.start[3], 3), 0);
	assert_int_equal(times_found(scene.start[6], 6), 0);
	assert_int_equal(scene.hints.displaced, 0);
	close_hints();
}

/* ---- how many are lost ---- */

/* Regions at even distances, or anywhere (0). In tenths of a percent. */
static unsigned int lost_of(uint64_t distance, uint32_t count)
{
	uint64_t seed = count;
	open_hints(count);
	for (uint32_t i = 1; i <= count; i++) {
		uint64_t addr = distance ? BASE + i * distance : next_random(&seed) >> 17 << 12;
		set_start(addr, i, i);
	}
	assert_true(entries_in_use() >= 2 * (uint64_t)count);
	assert_true(entries_in_use() == 1024 || entries_in_use() < 4 * (uint64_t)count);
	unsigned int found = count_found(1, count);
	close_hints();
	return (count - found) * 1000 / count;
}

static void load__less_than_2_in_100_are_lost(void **state)
{
	(void)state;
	static const uint64_t distances[] = {
		0,     64,     4096,	8192,	 12288,	  65536,
		69632, 131072, 1 << 20, 2 << 20, 3 << 20, 1ull << 30
	};
	for (unsigned int i = 0; i < sizeof(distances) / sizeof(distances[0]); i++) {
		/* 1,000 in 2,048 and 65,536 in 131,072: half full; 10,000: less */
		static const uint32_t counts[] = { 1000, 10000, 65536 };
		for (unsigned int n = 0; n < 3; n++) {
			unsigned int lost = lost_of(distances[i], counts[n]);
			if (lost >= 20)
				print_error("%u of 1000 of %u at distance %llu\n", lost, counts[n],
					    (unsigned long long)distances[i]);
			assert_in_range(lost, 0, 19);
		}
	}
}

/* ---- growth ---- */

static void grow__keeps_what_there_was(void **state)
{
	(void)state;
	static unsigned int before[401], inside_before[401];
	open_hints(SLOTS);
	for (uint32_t i = 1; i <= 400; i++) {
		set_start(BASE + (uint64_t)i * 131072, i, i);
		pinreg_hints_set(&scene.hints, scene.start[i] + 64, i, i);
	}
	assert_int_equal(entries_in_use(), 1024);
	for (uint32_t i = 1; i <= 400; i++) {
		before[i] = times_found(scene.start[i], i);
		inside_before[i] = times_found(scene.start[i] + 64, i);
	}
	pinreg_hints_set(&scene.hints, BASE, 401, SLOTS);
	assert_int_equal(entries_in_use(), 262144);
	unsigned int found = 0;
	for (uint32_t i = 1; i <= 400; i++) {
		assert_int_equal(times_found(scene.start[i], i), before[i]);
		assert_true(times_found(scene.start[i] + 64, i) >= inside_before[i]);
		found += before[i];
	}
	assert_true(found > 380);
	close_hints();
}

static void grow__leaves_one_of_each(void **state)
{
	(void)state;
	uint64_t used = 0;
	open_hints(SLOTS);
	for (uint32_t i = 1; i <= 400; i++)
		set_start(BASE + (uint64_t)i * 131072, i, 1);
	for (uint32_t i = 1; i <= 400; i += 2)
		scene.dead[i] = true;
	uint32_t found = 0;
	for (uint32_t i = 2; i <= 400; i += 2)
		found += times_found(scene.start[i], i);
	scene.start[SLOTS] = BASE;
	pinreg_hints_set(&scene.hints, BASE, SLOTS, SLOTS);
	for (uint64_t i = 0; i < entries_in_use() / 2; i++) {
		uint64_t word = scene.hints.table[i];
		used += ((uint32_t)word ? 1u : 0u) + (word >> 32 ? 1u : 0u);
	}
	assert_int_equal(used, found + 1);
	close_hints();
}

static void grow__no_further_than_reserved(void **state)
{
	(void)state;
	open_hints(600);
	for (uint32_t i = 1; i <= 20000; i++)
		set_start(BASE + (uint64_t)i * 4096, i, i);
	assert_int_equal(entries_in_use(), 2048);
	assert_int_equal(times_found(scene.start[20000], 20000), 1);
	close_hints();
}

/* One large region, requests for many addresses in it. */
static void grow__for_many_addresses_of_few_regions(void **state)
{
	(void)state;
	unsigned int found = 0;
	open_hints(SLOTS);
	scene.start[1] = BASE;
	for (unsigned int round = 0; round < 20; round++) {
		for (uint64_t i = 0; i < 4000; i++)
			pinreg_hints_set(&scene.hints, BASE + i * 4096, 1, 1);
	}
	for (uint64_t i = 0; i < 4000; i++)
		found += times_found(BASE + i * 4096, 1) > 0;
	assert_true(found > 3800);
	close_hints();
}

/* ---- readers beside a writer ---- */

static _Atomic(bool) ended;

static void *read_all(void *context)
{
	uint64_t seed = (uint64_t)(uintptr_t)&seed | 1;
	uintptr_t wrong = 0;
	(void)context;
	while (!ended) {
		uint64_t addr = BASE + next_random(&seed) % 4096 * 4096;
		struct pinreg_hints_found found = pinreg_hints_find(&scene.hints, addr);
		for (uint32_t slot; (slot = pinreg_hints_next(&found));)
			wrong += slot > 5000;
	}
	return (void *)wrong;
}

static void threads__find_slots_only(void **state)
{
	(void)state;
	pthread_t readers[2];
	uint64_t seed = 7;
	open_hints(5000);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, read_all, NULL), 0);
	for (uint32_t i = 1; i <= 200000; i++) {
		uint32_t slot = (uint32_t)(next_random(&seed) % 5000) + 1;
		uint64_t addr = BASE + next_random(&seed) % 4096 * 4096;
		if (i % 3 == 0)
			pinreg_hints_drop(&scene.hints, scene.start[slot], slot);
		else
			set_start(addr, slot, i / 40);
		scene.dead[slot] = i % 5 == 0;
	}
	ended = true;
	for (unsigned int i = 0; i < 2; i++) {
		void *wrong = NULL;
		pthread_join(readers[i], &wrong);
		assert_null(wrong);
	}
	close_hints();
}

/* ---- no memory ---- */

static int no_memory(uint64_t length, void **out)
{
	(void)length, (void)out;
	return -ENOMEM;
}

static void open__without_memory(void **state)
{
	(void)state;
	struct pinreg_sys sys = pinreg_sys_real;
	sys.map_anonymous = no_memory;
	assert_int_equal(pinreg_hints_open(&scene.hints, &sys, 100, start_of, &scene), -ENOMEM);
	close_hints();
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(find__in_an_empty_table),
	cmocka_unit_test(find__the_ends_of_the_address_space),
	cmocka_unit_test(find__every_tag),
	cmocka_unit_test(find__several_slots_of_one_address),
	cmocka_unit_test(set__again_takes_no_second_place),
	cmocka_unit_test(set__the_newest_is_found_first),
	cmocka_unit_test(drop__only_that_one),
	cmocka_unit_test(drop__in_the_other_group),
	cmocka_unit_test(full__the_new_one_is_found),
	cmocka_unit_test(full__what_leads_nowhere_goes_first),
	cmocka_unit_test(load__less_than_2_in_100_are_lost),
	cmocka_unit_test(grow__keeps_what_there_was),
	cmocka_unit_test(grow__leaves_one_of_each),
	cmocka_unit_test(grow__no_further_than_reserved),
	cmocka_unit_test(grow__for_many_addresses_of_few_regions),
	cmocka_unit_test(threads__find_slots_only),
	cmocka_unit_test(open__without_memory),
};

TEST_MAIN(cases)
