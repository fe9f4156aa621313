/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_index.c -- the index of a cache's regions: to the byte, at the ends of the
 * address space, as if others had never been in it, and with a million.
 */
#include <stdbool.h>
#include <string.h>

#include "support/chance.h"
#include "support/indexed.h"
#include "support/test.h"

#define MOST 4096u
#define MILLION 1000000u

static bool any(void *context, uint32_t slot)
{
	(void)context;
	(void)slot;
	return true;
}

static void index__empty(void **state)
{
	(void)state;
	indexed_open(2);
	assert_int_equal(pinreg_index_touching(&indexed_it, 0, 0, 0), 0);
	assert_int_equal(pinreg_index_containing(&indexed_it, 0, 1, any, NULL), 0);
	uint32_t slot = pinreg_slots_take(&indexed_slots);
	indexed_put(slot, 4096, 8191);
	pinreg_index_insert(&indexed_it, slot);
	pinreg_index_remove(&indexed_it, slot);
	assert_int_equal(pinreg_index_touching(&indexed_it, 0, 0, 0), 0);
	assert_int_equal(pinreg_index_containing(&indexed_it, 4096, 4097, any, NULL), 0);
	pinreg_slots_close(&indexed_slots, &pinreg_sys_real);
}

static void touching__to_the_byte(void **state)
{
	(void)state;
	indexed_open(1);
	uint32_t slot = pinreg_slots_take(&indexed_slots);
	indexed_put(slot, 4096, 8191);
	pinreg_index_insert(&indexed_it, slot);
	assert_int_equal(pinreg_index_touching(&indexed_it, 0, 4096, 0), 0);
	assert_int_equal(pinreg_index_touching(&indexed_it, 0, 4097, 0), slot);
	assert_int_equal(pinreg_index_touching(&indexed_it, 8191, 8192, 0), slot);
	assert_int_equal(pinreg_index_touching(&indexed_it, 8192, 0, 0), 0);
	assert_int_equal(pinreg_index_touching(&indexed_it, 5000, 5000, 0), 0); /* empty */
	assert_int_equal(pinreg_index_touching(&indexed_it, 0, 0, 0), slot);	/* everything */
	assert_int_equal(pinreg_index_touching(&indexed_it, 0, 0, slot), 0);
	assert_int_equal(pinreg_index_containing(&indexed_it, 4096, 8192, any, NULL), slot);
	assert_int_equal(pinreg_index_containing(&indexed_it, 4095, 8192, any, NULL), 0);
	assert_int_equal(pinreg_index_containing(&indexed_it, 4096, 8193, any, NULL), 0);
	pinreg_slots_close(&indexed_slots, &pinreg_sys_real);
}

/* The first byte of the address space and its last one, and all between. */
static void index__ends_of_the_address_space(void **state)
{
	(void)state;
	indexed_open(3);
	uint32_t first = pinreg_slots_take(&indexed_slots);
	uint32_t last = pinreg_slots_take(&indexed_slots);
	indexed_put(first, 0, 0);
	indexed_put(last, UINT64_MAX, UINT64_MAX);
	pinreg_index_insert(&indexed_it, last);
	pinreg_index_insert(&indexed_it, first);
	assert_int_equal(pinreg_index_touching(&indexed_it, 0, 0, 0), first);
	assert_int_equal(pinreg_index_touching(&indexed_it, 0, 0, first), last);
	assert_int_equal(pinreg_index_touching(&indexed_it, 0, 1, 0), first);
	assert_int_equal(pinreg_index_touching(&indexed_it, 1, UINT64_MAX, 0), 0);
	assert_int_equal(pinreg_index_touching(&indexed_it, UINT64_MAX, 0, 0), last);
	assert_int_equal(pinreg_index_containing(&indexed_it, 0, 1, any, NULL), first);
	assert_int_equal(pinreg_index_containing(&indexed_it, UINT64_MAX, 0, any, NULL), last);
	assert_int_equal(pinreg_index_containing(&indexed_it, UINT64_MAX - 1, 0, any, NULL), 0);
	uint32_t wide = pinreg_slots_take(&indexed_slots);
	indexed_put(wide, 1, UINT64_MAX);
	pinreg_index_insert(&indexed_it, wide);
	assert_int_equal(pinreg_index_containing(&indexed_it, UINT64_MAX - 1, 0, any, NULL), wide);
	assert_int_equal(pinreg_index_containing(&indexed_it, 0, 0, any, NULL), 0);
	pinreg_slots_close(&indexed_slots, &pinreg_sys_real);
}

/* What came and went leaves no trace: so the tree never gets deeper than chance makes it. */
static void index__as_if_the_others_had_never_been(void **state)
{
	(void)state;
	static struct pinreg_slot_links links[MOST + 1];
	chance_seed(6);
	indexed_open(MOST);
	for (uint32_t slot = 1; slot <= MOST; slot++) {
		uint64_t start = chance_below(1ull << 40);
		indexed_put(slot, start, start + chance_below(1ull << 36));
		pinreg_index_insert(&indexed_it, slot);
	}
	for (uint32_t slot = 1; slot <= MOST; slot += 2)
		pinreg_index_remove(&indexed_it, slot);
	memcpy(links, indexed_slots.links, sizeof(links));
	uint32_t root = indexed_it.root;
	indexed_it.root = 0;
	for (uint32_t slot = 2; slot <= MOST; slot += 2)
		pinreg_index_insert(&indexed_it, slot);
	assert_int_equal(indexed_it.root, root);
	for (uint32_t slot = 2; slot <= MOST; slot += 2)
		assert_memory_equal(&indexed_slots.links[slot], &links[slot], sizeof(links[slot]));
	pinreg_slots_close(&indexed_slots, &pinreg_sys_real);
}

/* Of what is below node, without recursion. */
static unsigned int depth_of(uint32_t root)
{
	static uint32_t level[2][MILLION];
	unsigned int depth = 0;
	uint32_t count = root ? 1 : 0;
	level[0][0] = root;
	for (; count; depth++) {
		const uint32_t *now = level[depth % 2];
		uint32_t *next = level[(depth + 1) % 2];
		uint32_t found = 0;
		for (uint32_t i = 0; i < count; i++) {
			const struct pinreg_slot_links *links = &indexed_slots.links[now[i]];
			if (links->left)
				next[found++] = links->left;
			if (links->right)
				next[found++] = links->right;
		}
		count = found;
	}
	return depth;
}

/* Slots and addresses grow together, or against each other, or neither. */
static void look_at_a_million(uint64_t (*page_of)(uint32_t number))
{
	indexed_open(MILLION);
	for (uint32_t i = 1; i <= MILLION; i++) {
		uint32_t slot = pinreg_slots_take(&indexed_slots);
		uint64_t start = 0x7f0000000000 + page_of(slot) * 8192;
		indexed_put(slot, start, start + 4095);
		pinreg_index_insert(&indexed_it, slot);
	}
	unsigned int depth = depth_of(indexed_it.root);
	print_message("a million: depth %u\n", depth);
	assert_true(depth < 80);

	uint32_t slot = 0, found = 0;
	uint64_t start = 0;
	while ((slot = pinreg_index_touching(&indexed_it, 0, 0, slot)) != 0) {
		assert_true(pinreg_slot_start(&indexed_slots, slot) > start);
		start = pinreg_slot_start(&indexed_slots, slot);
		found++;
	}
	assert_int_equal(found, MILLION);
	for (uint32_t i = 1; i <= MILLION; i++) {
		start = pinreg_slot_start(&indexed_slots, i);
		assert_int_equal(
			pinreg_index_containing(&indexed_it, start + 1, start + 4096, any, NULL),
			i);
		assert_int_equal(
			pinreg_index_containing(&indexed_it, start + 1, start + 4097, any, NULL),
			0);
	}
	for (uint32_t i = 1; i <= MILLION; i++)
		pinreg_index_remove(&indexed_it, i);
	assert_int_equal(indexed_it.root, 0);
	pinreg_slots_close(&indexed_slots, &pinreg_sys_real);
}

static uint64_t upwards(uint32_t number)
{
	return number;
}

static uint64_t downwards(uint32_t number)
{
	return MILLION - number;
}

/* Each of a million once: the factor has no divisor in common with it. */
static uint64_t anywhere(uint32_t number)
{
	return (uint64_t)number * 618033989 % MILLION;
}

static void million__upwards(void **state)
{
	(void)state;
	look_at_a_million(upwards);
}

static void million__downwards(void **state)
{
	(void)state;
	look_at_a_million(downwards);
}

static void million__anywhere(void **state)
{
	(void)state;
	look_at_a_million(anywhere);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(index__empty),
	cmocka_unit_test(touching__to_the_byte),
	cmocka_unit_test(index__ends_of_the_address_space),
	cmocka_unit_test(index__as_if_the_others_had_never_been),
	cmocka_unit_test(million__upwards),
	cmocka_unit_test(million__downwards),
	cmocka_unit_test(million__anywhere),
};

TEST_MAIN(cases)
