/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * index.c -- a treap of address ranges.
 */
#include "cache/index.h"

/*
 * As good as random, and never the same for two numbers: each step can be undone. The
 * factors are digits of the golden ratio and of the roots of 2 and 3.
 */
static uint32_t weight(uint32_t slot)
{
	uint32_t mixed = slot * 0x9e3779b1u;
	mixed = (mixed ^ mixed >> 15) * 0x6a09e667u;
	mixed = (mixed ^ mixed >> 15) * 0xbb67ae85u;
	return mixed ^ mixed >> 16;
}

static struct pinreg_slot_links *links_of(const struct pinreg_index *index, uint32_t slot)
{
	return &index->slots->links[slot];
}

/* In the order of the tree. 0 is before all: it begins at 0. */
static bool is_before(const struct pinreg_index *index, uint32_t a, uint32_t b)
{
	uint64_t start_a = pinreg_slot_start(index->slots, a);
	uint64_t start_b = pinreg_slot_start(index->slots, b);
	return start_a != start_b ? start_a < start_b : a < b;
}

/* Does what is at node or below it reach the byte? */
static bool reaches(const struct pinreg_index *index, uint32_t node, uint64_t byte)
{
	return node && links_of(index, node)->max_last >= byte;
}

/* ---- changes ---- */

static void extend(struct pinreg_index *index, uint32_t node, uint64_t last)
{
	if (links_of(index, node)->max_last < last)
		links_of(index, node)->max_last = last;
}

/* What is below node has changed. */
static void sum_up(struct pinreg_index *index, uint32_t node)
{
	struct pinreg_slot_links *links = links_of(index, node);
	links->max_last = pinreg_slot_last(index->slots, node);
	if (links->left)
		extend(index, node, links_of(index, links->left)->max_last);
	if (links->right)
		extend(index, node, links_of(index, links->right)->max_last);
}

/* The link of node on the way to slot. */
static uint32_t *towards(struct pinreg_index *index, uint32_t node, uint32_t slot)
{
	struct pinreg_slot_links *links = links_of(index, node);
	return is_before(index, node, slot) ? &links->right : &links->left;
}

/*
 * The tree at node becomes two, below slot. Until all below is known a node's link leads
 * back to the one above it, so that the sums can be made from the bottom up.
 */
static void split(struct pinreg_index *index, uint32_t node, uint32_t slot)
{
	uint32_t before = 0, behind = 0;
	while (node) {
		uint32_t *link = towards(index, node, slot);
		uint32_t next = *link;
		uint32_t *above = link == &links_of(index, node)->right ? &before : &behind;
		*link = *above;
		*above = node;
		node = next;
	}
	struct pinreg_slot_links *links = links_of(index, slot);
	links->left = links->right = 0;
	while (before) {
		uint32_t next = links_of(index, before)->right;
		links_of(index, before)->right = links->left;
		sum_up(index, before);
		links->left = before;
		before = next;
	}
	while (behind) {
		uint32_t next = links_of(index, behind)->left;
		links_of(index, behind)->left = links->right;
		sum_up(index, behind);
		links->right = behind;
		behind = next;
	}
}

/* Two trees, all of one before all of the other, become one. */
static uint32_t join(struct pinreg_index *index, uint32_t before, uint32_t behind)
{
	uint32_t root, *link = &root;
	while (before && behind) {
		if (weight(before) > weight(behind)) {
			extend(index, before, links_of(index, behind)->max_last);
			*link = before;
			link = &links_of(index, before)->right;
			before = *link;
		} else {
			extend(index, behind, links_of(index, before)->max_last);
			*link = behind;
			link = &links_of(index, behind)->left;
			behind = *link;
		}
	}
	*link = before ? before : behind;
	return root;
}

void pinreg_index_insert(struct pinreg_index *index, uint32_t slot)
{
	uint32_t *link = &index->root;
	while (*link && weight(*link) > weight(slot)) {
		extend(index, *link, pinreg_slot_last(index->slots, slot));
		link = towards(index, *link, slot);
	}
	split(index, *link, slot);
	sum_up(index, slot);
	*link = slot;
}

/* Without slot; the links lead back meanwhile, as in split. */
static uint32_t without(struct pinreg_index *index, uint32_t node, uint32_t slot)
{
	uint32_t above = 0;
	while (node != slot) {
		uint32_t *link = towards(index, node, slot);
		uint32_t next = *link;
		*link = above;
		above = node;
		node = next;
	}
	node = join(index, links_of(index, slot)->left, links_of(index, slot)->right);
	while (above) {
		uint32_t *link = towards(index, above, slot);
		uint32_t next = *link;
		*link = node;
		sum_up(index, above);
		node = above;
		above = next;
	}
	return node;
}

void pinreg_index_remove(struct pinreg_index *index, uint32_t slot)
{
	uint64_t last = pinreg_slot_last(index->slots, slot);
	uint32_t *link = &index->root;
	/* who reaches farther than it needs no new sum, and they are all above those who do */
	while (*link != slot && links_of(index, *link)->max_last > last)
		link = towards(index, *link, slot);
	*link = without(index, *link, slot);
}

/* ---- questions ---- */

/* The first behind slot that reaches the byte, or 0. */
static uint32_t next_reaching(const struct pinreg_index *index, uint32_t slot, uint64_t byte)
{
	uint32_t turn = 0;
	uint32_t node = index->root;
	/* the lowest one behind slot with which, or behind which, such a one is found */
	while (reaches(index, node, byte)) {
		const struct pinreg_slot_links *links = links_of(index, node);
		if (!is_before(index, slot, node)) {
			node = links->right;
			continue;
		}
		if (pinreg_slot_last(index->slots, node) >= byte ||
		    reaches(index, links->right, byte))
			turn = node;
		node = links->left;
	}
	if (!turn || pinreg_slot_last(index->slots, turn) >= byte)
		return turn;
	node = links_of(index, turn)->right;
	for (;;) {
		const struct pinreg_slot_links *links = links_of(index, node);
		if (reaches(index, links->left, byte))
			node = links->left;
		else if (pinreg_slot_last(index->slots, node) >= byte)
			return node;
		else
			node = links->right;
	}
}

uint32_t pinreg_index_touching(const struct pinreg_index *index, uint64_t start, uint64_t end,
			       uint32_t after)
{
	uint64_t last = end - 1;
	if (last < start)
		return 0;
	uint32_t slot = next_reaching(index, after, start);
	return slot && pinreg_slot_start(index->slots, slot) <= last ? slot : 0;
}

/* Does node begin before start, or there with a lower number? */
static bool begins_before(const struct pinreg_index *index, uint32_t node, uint64_t start,
			  uint32_t number)
{
	uint64_t its = pinreg_slot_start(index->slots, node);
	return its != start ? its < start : node < number;
}

/* The last before (start, number) that reaches the byte, or 0. */
static uint32_t previous_reaching(const struct pinreg_index *index, uint64_t start, uint32_t number,
				  uint64_t byte)
{
	uint32_t turn = 0;
	uint32_t node = index->root;
	while (reaches(index, node, byte)) {
		const struct pinreg_slot_links *links = links_of(index, node);
		if (!begins_before(index, node, start, number)) {
			node = links->left;
			continue;
		}
		if (pinreg_slot_last(index->slots, node) >= byte ||
		    reaches(index, links->left, byte))
			turn = node;
		node = links->right;
	}
	if (!turn || pinreg_slot_last(index->slots, turn) >= byte)
		return turn;
	node = links_of(index, turn)->left;
	for (;;) {
		const struct pinreg_slot_links *links = links_of(index, node);
		if (reaches(index, links->right, byte))
			node = links->right;
		else if (pinreg_slot_last(index->slots, node) >= byte)
			return node;
		else
			node = links->left;
	}
}

uint32_t pinreg_index_containing(const struct pinreg_index *index, uint64_t start, uint64_t end,
				 bool (*fits)(void *context, uint32_t slot), void *context)
{
	uint32_t slot = previous_reaching(index, start, UINT32_MAX, end - 1);
	while (slot && !fits(context, slot))
		slot = previous_reaching(index, pinreg_slot_start(index->slots, slot), slot,
					 end - 1);
	return slot;
}
