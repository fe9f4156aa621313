/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_slots.c -- where a cache's regions are, and which places are free.
 */
#include <errno.h>

#include "cache/slots.h"
#include "support/chance.h"
#include "support/test.h"

#define MOST 1000u

static struct pinreg_slots slots;
static struct pinreg_sys table;
static unsigned int maps_left;
static int mapped;

static int map_or_not(uint64_t length, void **out)
{
	if (!maps_left)
		return -ENOMEM;
	maps_left--;
	int status = pinreg_sys_real.map_anonymous(length, out);
	mapped += !status;
	return status;
}

static int unmap_one(void *addr, uint64_t length)
{
	mapped--;
	return pinreg_sys_real.unmap(addr, length);
}

static int open_with(unsigned int maps, uint32_t max)
{
	table = pinreg_sys_real;
	table.map_anonymous = map_or_not;
	table.unmap = unmap_one;
	maps_left = maps;
	return pinreg_slots_open(&slots, &table, max);
}

static void slots__no_memory(void **state)
{
	(void)state;
	for (unsigned int maps = 0; maps < 2; maps++) {
		assert_int_equal(open_with(maps, 10), -ENOMEM);
		assert_int_equal(mapped, 0);
		assert_null(slots.regions);
	}
	test_ok(open_with(2, 10));
	pinreg_slots_close(&slots, &table);
	assert_int_equal(mapped, 0);
	assert_null(slots.regions);
}

static void slots__low_numbers_first(void **state)
{
	(void)state;
	test_ok(open_with(2, 5));
	for (uint32_t slot = 1; slot <= 5; slot++)
		assert_int_equal(pinreg_slots_take(&slots), slot);
	assert_int_equal(pinreg_slots_take(&slots), 0);
	pinreg_slots_release(&slots, 2);
	pinreg_slots_release(&slots, 4);
	assert_int_equal(pinreg_slots_take(&slots), 4);
	assert_int_equal(pinreg_slots_take(&slots), 2);
	assert_int_equal(pinreg_slots_take(&slots), 0);
	pinreg_slots_close(&slots, &table);
}

/* Who comes with an old number must find what tells him so. */
static void slots__a_region_outlives_its_slot(void **state)
{
	(void)state;
	test_ok(open_with(2, 1));
	uint32_t slot = pinreg_slots_take(&slots);
	slots.regions[slot].addr = 4096;
	slots.regions[slot].length = 4096;
	atomic_store(&slots.regions[slot].state, 3 * PINREG_SLOT_GENERATION);
	slots.links[slot].left = 1;
	slots.links[slot].recorded = 1;
	pinreg_slots_release(&slots, slot);
	assert_int_equal(pinreg_slots_take(&slots), slot);
	assert_int_equal(atomic_load(&slots.regions[slot].state), 3 * PINREG_SLOT_GENERATION);
	assert_int_equal(pinreg_slot_start(&slots, slot), 4096);
	assert_int_equal(pinreg_slot_end(&slots, slot), 8192);
	assert_int_equal(pinreg_slot_last(&slots, slot), 8191);
	assert_int_equal(slots.links[slot].left, 0);
	assert_int_equal(slots.links[slot].recorded, 0);
	pinreg_slots_close(&slots, &table);
}

static void slots__a_cache_line_each(void **state)
{
	(void)state;
	test_ok(open_with(2, 3));
	assert_int_equal((uintptr_t)slots.regions % 64, 0);
	assert_int_equal(sizeof(slots.regions[0]), 64);
	pinreg_slots_close(&slots, &table);
}

/* The largest there can be is only addresses, until it is used. */
static void slots__the_most(void **state)
{
	(void)state;
	test_ok(open_with(2, PINREG_SLOTS_MAX));
	assert_int_equal(pinreg_slots_take(&slots), 1);
	atomic_store(&slots.regions[PINREG_SLOTS_MAX].state, 1);
	slots.links[PINREG_SLOTS_MAX].heap = 1;
	pinreg_slots_close(&slots, &table);
}

static void slots__each_number_is_somebodys_once(void **state)
{
	(void)state;
	static bool taken[MOST + 1];
	uint32_t held[MOST], count = 0;
	chance_seed(1);
	test_ok(open_with(2, MOST));
	for (unsigned int i = 0; i < 500000; i++) {
		/* long times of growth, and of the other */
		bool grows = chance_below(8) ? i / 5000 % 2 == 0 : chance_below(2);
		if (grows) {
			uint32_t slot = pinreg_slots_take(&slots);
			assert_int_equal(slot != 0, count < MOST);
			if (!slot)
				continue;
			assert_in_range(slot, 1, MOST);
			assert_false(taken[slot]);
			taken[slot] = true;
			held[count++] = slot;
		} else if (count) {
			uint32_t at = (uint32_t)chance_below(count);
			taken[held[at]] = false;
			pinreg_slots_release(&slots, held[at]);
			held[at] = held[--count];
		}
	}
	pinreg_slots_close(&slots, &table);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(slots__no_memory),
	cmocka_unit_test(slots__low_numbers_first),
	cmocka_unit_test(slots__a_region_outlives_its_slot),
	cmocka_unit_test(slots__a_cache_line_each),
	cmocka_unit_test(slots__the_most),
	cmocka_unit_test(slots__each_number_is_somebodys_once),
};

TEST_MAIN(cases)
