/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_index.c -- the index of a cache's regions, against a list that is looked
 * through from end to end.
 */
#include <string.h>

#include "cache/index.h"
#include "support/chance.h"
#include "support/test.h"

#define MOST 4096u
#define MILLION 1000000u

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
static struct pinreg_slots slots;
static struct pinreg_index it;

/* The list, in order of start, then of number; last as bytes, so that nothing wraps. */
static struct range {
	uint64_t start, last;
	uint32_t slot;
} list[MOST];
static uint32_t listed;

/* Which ones the caller can use. */
static bool usable[MOST + 1];
static unsigned int asked;

static void open_for(uint32_t max)
{
	test_ok(pinreg_slots_open(&slots, &pinreg_sys_real, max));
	it = (struct pinreg_index){ .slots = &slots };
	listed = 0;
}

static void put_range(uint32_t slot, uint64_t start, uint64_t last)
{
	slots.regions[slot].addr = start;
	slots.regions[slot].length = last - start + 1;
}

/* ---- the list ---- */

static void list_insert(struct range range)
{
	uint32_t at = listed++;
	while (at && (list[at - 1].start > range.start ||
		      (list[at - 1].start == range.start && list[at - 1].slot > range.slot))) {
		list[at] = list[at - 1];
		at--;
	}
	list[at] = range;
}

static void list_remove(uint32_t at)
{
	memmove(&list[at], &list[at + 1], (--listed - at) * sizeof(list[0]));
}

/* The place of the next that touches, from a place on; listed: none. */
static uint32_t list_touching(struct range query, uint32_t from)
{
	while (from < listed && (list[from].start > query.last || list[from].last < query.start))
		from++;
	return from;
}

static uint32_t list_containing(struct range query)
{
	for (uint32_t at = listed; at > 0; at--)
		if (list[at - 1].start <= query.start && list[at - 1].last >= query.last &&
		    usable[list[at - 1].slot])
			return list[at - 1].slot;
	return 0;
}

/* ---- the tree as it is ---- */

/* All in the tree below node: they are the list's from *at on; gives the depth. */
static unsigned int check_below(uint32_t node, uint32_t *at, uint64_t *last)
{
	const struct pinreg_slot_links *links = &slots.links[node];
	uint64_t before = 0, behind = 0;
	unsigned int left = links->left ? check_below(links->left, at, &before) : 0;
	assert_int_equal(list[*at].slot, node);
	*last = list[(*at)++].last;
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
	if (it.root)
		check_below(it.root, &at, &last);
	assert_int_equal(at, listed);
	assert_int_equal(slots.links[0].max_last, 0);
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
	if (listed && !chance_below(4))
		return list[chance_below(listed)];
	return some_range();
}

static void insert_one(void)
{
	uint32_t slot = pinreg_slots_take(&slots);
	if (!slot)
		return;
	struct range range = some_query();
	range.slot = slot;
	put_range(slot, range.start, range.last);
	usable[slot] = chance_below(3);
	pinreg_index_insert(&it, slot);
	list_insert(range);
}

static void remove_at(uint32_t at)
{
	uint32_t slot = list[at].slot;
	pinreg_index_remove(&it, slot);
	pinreg_slots_release(&slots, slot);
	list_remove(at);
}

static void compare_touching(void)
{
	struct range query = some_query();
	uint32_t slot = 0;
	for (uint32_t at = list_touching(query, 0); at < listed;
	     at = list_touching(query, at + 1)) {
		slot = pinreg_index_touching(&it, query.start, query.last + 1, slot);
		assert_int_equal(slot, list[at].slot);
	}
	assert_int_equal(pinreg_index_touching(&it, query.start, query.last + 1, slot), 0);
}

/* As when memory goes: some of what is found is removed, and others come and go meanwhile. */
static void remove_touching(void)
{
	struct range query = some_query();
	struct range after = { .start = 0 };
	for (unsigned int left = 8; left; left--) {
		uint32_t slot = pinreg_index_touching(&it, query.start, query.last + 1, after.slot);
		uint32_t at = 0;
		while (at < listed &&
		       (list[at].start < after.start ||
			(list[at].start == after.start && list[at].slot <= after.slot)))
			at++;
		at = list_touching(query, at);
		assert_int_equal(slot, at < listed ? list[at].slot : 0);
		if (!slot)
			break;
		after = list[at];
		if (chance_below(2))
			remove_at(at);
		else if (list[listed - 1].slot != slot)
			remove_at(listed - 1);
		else
			insert_one();
	}
}

static bool fits(void *context, uint32_t slot)
{
	const struct range *query = context;
	uint64_t start = pinreg_slot_start(&slots, slot);
	assert_true(start <= query->start && pinreg_slot_last(&slots, slot) >= query->last);
	asked++;
	return usable[slot];
}

static void compare_containing(void)
{
	struct range query = some_query();
	asked = 0;
	uint32_t slot = pinreg_index_containing(&it, query.start, query.last + 1, fits, &query);
	assert_int_equal(slot, list_containing(query));
	assert_true(asked <= listed);
}

static void step(void)
{
	unsigned int turn = (unsigned int)chance_below(16);
	/* as many come as go, around the number that is wanted */
	if (turn < 6) {
		if (chance_below(2 * (uint64_t)land->regions) >= listed)
			insert_one();
		else
			remove_at((uint32_t)chance_below(listed));
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
	open_for(2 * land->regions < MOST ? 2 * land->regions : MOST);
	for (unsigned int i = 0; i < land->steps; i++) {
		step();
		if (!(i % 1024))
			check_tree();
	}
	while (listed) {
		remove_at((uint32_t)chance_below(listed));
		if (!(listed % 64))
			check_tree();
	}
	assert_int_equal(it.root, 0);
	pinreg_slots_close(&slots, &pinreg_sys_real);
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

static bool any(void *context, uint32_t slot)
{
	(void)context;
	(void)slot;
	return true;
}

static void index__empty(void **state)
{
	(void)state;
	open_for(2);
	assert_int_equal(pinreg_index_touching(&it, 0, 0, 0), 0);
	assert_int_equal(pinreg_index_containing(&it, 0, 1, any, NULL), 0);
	uint32_t slot = pinreg_slots_take(&slots);
	put_range(slot, 4096, 8191);
	pinreg_index_insert(&it, slot);
	pinreg_index_remove(&it, slot);
	assert_int_equal(pinreg_index_touching(&it, 0, 0, 0), 0);
	assert_int_equal(pinreg_index_containing(&it, 4096, 4097, any, NULL), 0);
	pinreg_slots_close(&slots, &pinreg_sys_real);
}

static void touching__to_the_byte(void **state)
{
	(void)state;
	open_for(1);
	uint32_t slot = pinreg_slots_take(&slots);
	put_range(slot, 4096, 8191);
	pinreg_index_insert(&it, slot);
	assert_int_equal(pinreg_index_touching(&it, 0, 4096, 0), 0);
	assert_int_equal(pinreg_index_touching(&it, 0, 4097, 0), slot);
	assert_int_equal(pinreg_index_touching(&it, 8191, 8192, 0), slot);
	assert_int_equal(pinreg_index_touching(&it, 8192, 0, 0), 0);
	assert_int_equal(pinreg_index_touching(&it, 5000, 5000, 0), 0); /* empty */
	assert_int_equal(pinreg_index_touching(&it, 0, 0, 0), slot);	/* everything */
	assert_int_equal(pinreg_index_touching(&it, 0, 0, slot), 0);
	assert_int_equal(pinreg_index_containing(&it, 4096, 8192, any, NULL), slot);
	assert_int_equal(pinreg_index_containing(&it, 4095, 8192, any, NULL), 0);
	assert_int_equal(pinreg_index_containing(&it, 4096, 8193, any, NULL), 0);
	pinreg_slots_close(&slots, &pinreg_sys_real);
}

/* The first byte of the address space and its last one, and all between. */
static void index__ends_of_the_address_space(void **state)
{
	(void)state;
	open_for(3);
	uint32_t first = pinreg_slots_take(&slots);
	uint32_t last = pinreg_slots_take(&slots);
	put_range(first, 0, 0);
	put_range(last, UINT64_MAX, UINT64_MAX);
	pinreg_index_insert(&it, last);
	pinreg_index_insert(&it, first);
	assert_int_equal(pinreg_index_touching(&it, 0, 0, 0), first);
	assert_int_equal(pinreg_index_touching(&it, 0, 0, first), last);
	assert_int_equal(pinreg_index_touching(&it, 0, 1, 0), first);
	assert_int_equal(pinreg_index_touching(&it, 1, UINT64_MAX, 0), 0);
	assert_int_equal(pinreg_index_touching(&it, UINT64_MAX, 0, 0), last);
	assert_int_equal(pinreg_index_containing(&it, 0, 1, any, NULL), first);
	assert_int_equal(pinreg_index_containing(&it, UINT64_MAX, 0, any, NULL), last);
	assert_int_equal(pinreg_index_containing(&it, UINT64_MAX - 1, 0, any, NULL), 0);
	uint32_t wide = pinreg_slots_take(&slots);
	put_range(wide, 1, UINT64_MAX);
	pinreg_index_insert(&it, wide);
	assert_int_equal(pinreg_index_containing(&it, UINT64_MAX - 1, 0, any, NULL), wide);
	assert_int_equal(pinreg_index_containing(&it, 0, 0, any, NULL), 0);
	pinreg_slots_close(&slots, &pinreg_sys_real);
}

/* What came and went leaves no trace: so the tree never gets deeper than chance makes it. */
static void index__as_if_the_others_had_never_been(void **state)
{
	(void)state;
	static struct pinreg_slot_links links[MOST + 1];
	chance_seed(6);
	open_for(MOST);
	for (uint32_t slot = 1; slot <= MOST; slot++) {
		uint64_t start = chance_below(1ull << 40);
		put_range(slot, start, start + chance_below(1ull << 36));
		pinreg_index_insert(&it, slot);
	}
	for (uint32_t slot = 1; slot <= MOST; slot += 2)
		pinreg_index_remove(&it, slot);
	memcpy(links, slots.links, sizeof(links));
	uint32_t root = it.root;
	it.root = 0;
	for (uint32_t slot = 2; slot <= MOST; slot += 2)
		pinreg_index_insert(&it, slot);
	assert_int_equal(it.root, root);
	for (uint32_t slot = 2; slot <= MOST; slot += 2)
		assert_memory_equal(&slots.links[slot], &links[slot], sizeof(links[slot]));
	pinreg_slots_close(&slots, &pinreg_sys_real);
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
			const struct pinreg_slot_links *links = &slots.links[now[i]];
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
	open_for(MILLION);
	for (uint32_t i = 1; i <= MILLION; i++) {
		uint32_t slot = pinreg_slots_take(&slots);
		uint64_t start = 0x7f0000000000 + page_of(slot) * 8192;
		put_range(slot, start, start + 4095);
		pinreg_index_insert(&it, slot);
	}
	unsigned int depth = depth_of(it.root);
	print_message("a million: depth %u\n", depth);
	assert_true(depth < 80);

	uint32_t slot = 0, found = 0;
	uint64_t start = 0;
	while ((slot = pinreg_index_touching(&it, 0, 0, slot)) != 0) {
		assert_true(pinreg_slot_start(&slots, slot) > start);
		start = pinreg_slot_start(&slots, slot);
		found++;
	}
	assert_int_equal(found, MILLION);
	for (uint32_t i = 1; i <= MILLION; i++) {
		start = pinreg_slot_start(&slots, i);
		assert_int_equal(pinreg_index_containing(&it, start + 1, start + 4096, any, NULL),
				 i);
		assert_int_equal(pinreg_index_containing(&it, start + 1, start + 4097, any, NULL),
				 0);
	}
	for (uint32_t i = 1; i <= MILLION; i++)
		pinreg_index_remove(&it, i);
	assert_int_equal(it.root, 0);
	pinreg_slots_close(&slots, &pinreg_sys_real);
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
	cmocka_unit_test(model__a_crowd_at_the_bottom),
	cmocka_unit_test(model__a_crowd_at_the_top),
	cmocka_unit_test(model__the_whole_address_space),
	cmocka_unit_test(model__pages_that_hardly_overlap),
	cmocka_unit_test(model__thousands),
	cmocka_unit_test(index__empty),
	cmocka_unit_test(touching__to_the_byte),
	cmocka_unit_test(index__ends_of_the_address_space),
	cmocka_unit_test(index__as_if_the_others_had_never_been),
	cmocka_unit_test(million__upwards),
	cmocka_unit_test(million__downwards),
	cmocka_unit_test(million__anywhere),
};

TEST_MAIN(cases)
