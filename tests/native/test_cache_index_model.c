/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_index_model.c -- the index of a cache's regions, against a list that is
 * looked through from end to end.
 */
#include <stdbool.h>

#include "support/chance.h"
#include "support/indexed.h"
#include "support/ranges.h"
#include "support/test.h"

/* Where ranges lie. */
struct landscape {
	uint64_t base;
	uint64_t last_page;  /* pages are counted from base */
	uint64_t page;	     /* bytes */
	uint64_t most_pages; /* of a range, but for a few */
	uint32_t regions;    /* about so many at once */
	unsigned int steps;
};

static const struct landscape *land;
static struct ranges list;

/* Which ones the caller can use. */
static bool usable[RANGES_MOST + 1];
static unsigned int asked;

static uint32_t list_containing(struct range query)
{
	for (uint32_t at = list.count; at > 0; at--)
		if (list.in[at - 1].start <= query.start && list.in[at - 1].last >= query.last &&
		    usable[list.in[at - 1].slot])
			return list.in[at - 1].slot;
	return 0;
}

/* ---- the tree as it is ---- */

/* All in the tree below node: they are the list's from *at on; gives the depth. */
static unsigned int check_below(uint32_t node, uint32_t *at, uint64_t *last)
{
	const struct pinreg_slot_links *links = &indexed_slots.links[node];
	uint64_t before = 0, behind = 0;
	unsigned int left = links->left ? check_below(links->left, at, &before) : 0;
	assert_int_equal(list.in[*at].slot, node);
	*last = list.in[(*at)++].last;
	unsigned int right = links->right ? check_below(links->right, at, &behind) : 0;
	*last = before > *last ? before : *last;
	*last = behind > *last ? behind : *last;
	assert_int_equal(links->max_last, *last);
	return 1 + (left > right ? left : right);
}

static void check_tree(void)
{
	uint32_t at = 0;
	uint64_t last;
	if (indexed_it.root)
		check_below(indexed_it.root, &at, &last);
	assert_int_equal(at, list.count);
	assert_int_equal(indexed_slots.links[0].max_last, 0);
}

/* ---- the steps ---- */

static struct range some_range(void)
{
	uint64_t first = chance_below(land->last_page + 1);
	uint64_t pages = 1 + chance_below(chance_below(16) ? land->most_pages : land->last_page);
	if (pages > land->last_page - first + 1)
		pages = land->last_page - first + 1;
	struct range range = { .start = land->base + first * land->page };
	range.last = range.start + (pages * land->page - 1);
	/* requests begin and end anywhere */
	if (land->page > 1 && !chance_below(2)) {
		range.start += chance_below(land->page);
		range.last -= chance_below((range.last - range.start) / 2 + 1);
	}
	return range;
}

static struct range some_query(void)
{
	if (list.count && !chance_below(4))
		return list.in[chance_below(list.count)];
	return some_range();
}

static void insert_one(void)
{
	uint32_t slot = pinreg_slots_take(&indexed_slots);
	if (!slot)
		return;
	struct range range = some_query();
	range.slot = slot;
	indexed_put(slot, range.start, range.last);
	usable[slot] = chance_below(3);
	pinreg_index_insert(&indexed_it, slot);
	ranges_insert(&list, range);
}

static void remove_at(uint32_t at)
{
	uint32_t slot = list.in[at].slot;
	pinreg_index_remove(&indexed_it, slot);
	pinreg_slots_release(&indexed_slots, slot);
	ranges_remove(&list, at);
}

static void compare_touching(void)
{
	struct range query = some_query();
	uint32_t slot = 0;
	for (uint32_t at = ranges_touching(&list, query, 0); at < list.count;
	     at = ranges_touching(&list, query, at + 1)) {
		slot = pinreg_index_touching(&indexed_it, query.start, query.last + 1, slot);
		assert_int_equal(slot, list.in[at].slot);
	}
	assert_int_equal(pinreg_index_touching(&indexed_it, query.start, query.last + 1, slot), 0);
}

/* As when memory goes: some of what is found is removed, and others come and go meanwhile. */
static void remove_touching(void)
{
	struct range query = some_query();
	struct range after = { .start = 0 };
	for (unsigned int left = 8; left; left--) {
		uint32_t slot =
			pinreg_index_touching(&indexed_it, query.start, query.last + 1, after.slot);
		uint32_t at = 0;
		while (at < list.count &&
		       (list.in[at].start < after.start ||
			(list.in[at].start == after.start && list.in[at].slot <= after.slot)))
			at++;
		at = ranges_touching(&list, query, at);
		assert_int_equal(slot, at < list.count ? list.in[at].slot : 0);
		if (!slot)
			break;
		after = list.in[at];
		if (chance_below(2))
			remove_at(at);
		else if (list.in[list.count - 1].slot != slot)
			remove_at(list.count - 1);
		else
			insert_one();
	}
}

static bool fits(void *context, uint32_t slot)
{
	const struct range *query = context;
	uint64_t start = pinreg_slot_start(&indexed_slots, slot);
	assert_true(start <= query->start && pinreg_slot_last(&indexed_slots, slot) >= query->last);
	asked++;
	return usable[slot];
}

static void compare_containing(void)
{
	struct range query = some_query();
	asked = 0;
	uint32_t slot =
		pinreg_index_containing(&indexed_it, query.start, query.last + 1, fits, &query);
	assert_int_equal(slot, list_containing(query));
	assert_true(asked <= list.count);
}

static void step(void)
{
	unsigned int turn = (unsigned int)chance_below(16);
	/* as many come as go, around the number that is wanted */
	if (turn < 6) {
		if (chance_below(2 * (uint64_t)land->regions) >= list.count)
			insert_one();
		else
			remove_at((uint32_t)chance_below(list.count));
	} else if (turn < 7) {
		remove_touching();
	} else if (turn < 11) {
		compare_touching();
	} else {
		compare_containing();
	}
}

static void compare_with_list(const struct landscape *of, uint64_t seed)
{
	land = of;
	chance_seed(seed);
	indexed_open(2 * land->regions < RANGES_MOST ? 2 * land->regions : RANGES_MOST);
	list.count = 0;
	for (unsigned int i = 0; i < land->steps; i++) {
		step();
		if (!(i % 1024))
			check_tree();
	}
	while (list.count) {
		remove_at((uint32_t)chance_below(list.count));
		if (!(list.count % 64))
			check_tree();
	}
	assert_int_equal(indexed_it.root, 0);
	pinreg_slots_close(&indexed_slots, &pinreg_sys_real);
}

/* Many of the same range, and each over many others. */
static void model__a_crowd_at_the_bottom(void **state)
{
	(void)state;
	compare_with_list(&(struct landscape){ .last_page = 63,
					       .page = 1,
					       .most_pages = 16,
					       .regions = 40,
					       .steps = 1500000 },
			  1);
}

static void model__a_crowd_at_the_top(void **state)
{
	(void)state;
	compare_with_list(&(struct landscape){ .base = UINT64_MAX - 63,
					       .last_page = 63,
					       .page = 1,
					       .most_pages = 8,
					       .regions = 40,
					       .steps = 1500000 },
			  2);
}

static void model__the_whole_address_space(void **state)
{
	(void)state;
	compare_with_list(&(struct landscape){ .last_page = UINT64_MAX >> 12,
					       .page = 4096,
					       .most_pages = 1ull << 48,
					       .regions = 100,
					       .steps = 1000000 },
			  3);
}

static void model__pages_that_hardly_overlap(void **state)
{
	(void)state;
	compare_with_list(&(struct landscape){ .base = 0x7f0000000000,
					       .last_page = 4095,
					       .page = 4096,
					       .most_pages = 4,
					       .regions = 400,
					       .steps = 1000000 },
			  4);
}

static void model__thousands(void **state)
{
	(void)state;
	compare_with_list(&(struct landscape){ .base = 0x7f0000000000,
					       .last_page = 0xfffff,
					       .page = 4096,
					       .most_pages = 64,
					       .regions = 3000,
					       .steps = 200000 },
			  5);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(model__a_crowd_at_the_bottom),
	cmocka_unit_test(model__a_crowd_at_the_top),
	cmocka_unit_test(model__the_whole_address_space),
	cmocka_unit_test(model__pages_that_hardly_overlap),
	cmocka_unit_test(model__thousands),
};

TEST_MAIN(cases)
