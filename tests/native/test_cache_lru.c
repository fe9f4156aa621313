/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_lru.c -- which region of a cache was used longest ago, against a list with
 * a clock that does not wrap.
 */
#include <errno.h>
#include <pthread.h>

#include "cache/lru.h"
#include "support/chance.h"
#include "support/test.h"

#define MOST 2048u
#define MILLION 1000000u

static struct pinreg_slots slots;
static struct pinreg_lru it;

static void open_for(uint32_t max)
{
	test_ok(pinreg_slots_open(&slots, &pinreg_sys_real, max));
	test_ok(pinreg_lru_open(&it, &pinreg_sys_real, &slots));
}

static void close_it(void)
{
	pinreg_lru_close(&it, &pinreg_sys_real);
	pinreg_slots_close(&slots, &pinreg_sys_real);
}

static void stamp(uint32_t slot, uint32_t now)
{
	atomic_store_explicit(&slots.regions[slot].stamp, now, memory_order_relaxed);
}

static uint32_t add(uint32_t now)
{
	uint32_t slot = pinreg_slots_take(&slots);
	assert_int_not_equal(slot, 0);
	stamp(slot, now);
	pinreg_lru_add(&it, slot);
	return slot;
}

/* Each member is in the place that it thinks it is in. */
static void check_places(void)
{
	for (uint32_t at = 1; at <= it.count; at++)
		assert_int_equal(slots.links[it.heap[at]].heap, at);
}

/* ---- the list ---- */

static struct {
	uint32_t slot;
	uint64_t used;
} list[MOST];
static uint32_t listed;
static uint64_t now; /* the stamp is its lower half */
static uint32_t wanted;
static uint64_t stride;

static uint64_t list_oldest(void)
{
	uint64_t oldest = UINT64_MAX;
	for (uint32_t at = 0; at < listed; at++)
		if (list[at].used < oldest)
			oldest = list[at].used;
	return oldest;
}

static uint32_t place_of(uint32_t slot)
{
	uint32_t at = 0;
	while (at < listed && list[at].slot != slot)
		at++;
	assert_true(at < listed);
	return at;
}

static void add_one(void)
{
	if (listed == slots.max)
		return;
	list[listed].slot = add((uint32_t)now);
	list[listed++].used = now;
}

static void remove_at(uint32_t at)
{
	uint32_t slot = list[at].slot;
	pinreg_lru_remove(&it, slot);
	pinreg_slots_release(&slots, slot);
	list[at] = list[--listed];
}

/* One of those that nobody has used for longest. */
static uint32_t compare_oldest(void)
{
	uint32_t slot = pinreg_lru_oldest(&it);
	if (!listed) {
		assert_int_equal(slot, 0);
		return 0;
	}
	uint32_t at = place_of(slot);
	uint64_t oldest = list_oldest();
	/* of those that were used very long ago any may be the first */
	if (now > PINREG_LRU_LONG_AGO && oldest < now - PINREG_LRU_LONG_AGO)
		oldest = now - PINREG_LRU_LONG_AGO;
	assert_true(list[at].used <= oldest);
	return at;
}

static void step(void)
{
	uint32_t at = listed ? (uint32_t)chance_below(listed) : 0;
	now += chance_below(stride);
	switch (listed ? chance_below(16) : 0) {
	case 0:
	case 1:
		if (chance_below(2 * (uint64_t)wanted) >= listed)
			add_one();
		else
			remove_at(at);
		break;
	case 2: /* it makes room */
		remove_at(compare_oldest());
		add_one();
		break;
	case 3: /* it is in use */
		at = compare_oldest();
		pinreg_lru_touch(&it, list[at].slot, (uint32_t)now);
		list[at].used = now;
		break;
	case 4: /* somebody who looked at the clock before is late, also with one touched since */
		if (list[at].used < now && chance_below(2)) {
			list[at].used += chance_below(now - list[at].used);
			stamp(list[at].slot, (uint32_t)list[at].used);
		}
		break;
	case 5:
	case 6:
		compare_oldest();
		break;
	default:
		stamp(list[at].slot, (uint32_t)now);
		list[at].used = now;
	}
	assert_int_equal(it.count, listed);
}

static void compare_with_list(uint64_t seed, uint32_t regions, uint64_t most_between,
			      uint64_t first, unsigned int steps)
{
	chance_seed(seed);
	wanted = regions;
	stride = most_between;
	now = first;
	open_for(2 * regions);
	for (unsigned int i = 0; i < steps; i++) {
		step();
		if (!(i % 1024))
			check_places();
	}
	while (listed)
		remove_at(compare_oldest());
	compare_oldest();
	close_it();
}

static void model__few(void **state)
{
	(void)state;
	compare_with_list(1, 8, 3, 0, 1500000);
}

/* Most have the stamp of others. */
static void model__a_slow_clock(void **state)
{
	(void)state;
	compare_with_list(2, 64, 2, UINT32_MAX - 1000, 1000000);
}

/* Around again and again. */
static void model__stamps_that_wrap(void **state)
{
	(void)state;
	compare_with_list(3, 48, 1u << 20, UINT32_MAX - 5, 1000000);
	assert_true(now >> 32 > 100);
}

/* Some nobody uses, and nobody asks which is the oldest while the clock goes round. */
static void model__left_alone_for_long(void **state)
{
	(void)state;
	chance_seed(7);
	now = 0;
	open_for(64);
	for (unsigned int i = 0; i < 32; i++)
		add_one();
	while (now >> 32 < 20) {
		now += chance_below(1u << 20);
		/* the first ten are not used any more, all others are */
		uint32_t at = 10 + (uint32_t)chance_below(listed - 10);
		stamp(list[at].slot, (uint32_t)now);
		list[at].used = now;
		add_one();
		remove_at(listed - 1);
	}
	for (unsigned int i = 0; i < 10; i++) {
		uint32_t at = compare_oldest();
		assert_true(list[at].used == 0);
		remove_at(at);
	}
	while (listed)
		remove_at(compare_oldest());
	close_it();
}

static void model__a_thousand(void **state)
{
	(void)state;
	compare_with_list(4, 1000, 5, UINT32_MAX - 100000, 200000);
}

/* ---- */

static void lru__empty(void **state)
{
	(void)state;
	open_for(1);
	assert_int_equal(pinreg_lru_oldest(&it), 0);
	uint32_t slot = add(7);
	assert_int_equal(pinreg_lru_oldest(&it), slot);
	assert_int_equal(pinreg_lru_oldest(&it), slot); /* it stays */
	pinreg_lru_remove(&it, slot);
	assert_int_equal(pinreg_lru_oldest(&it), 0);
	close_it();
}

static void lru__used_before_and_after_the_wrap(void **state)
{
	(void)state;
	open_for(3);
	uint32_t newest = add(2);
	uint32_t oldest = add(UINT32_MAX - 1);
	uint32_t between = add(0);
	assert_int_equal(pinreg_lru_oldest(&it), oldest);
	stamp(oldest, 3);
	assert_int_equal(pinreg_lru_oldest(&it), between);
	pinreg_lru_touch(&it, between, 4);
	assert_int_equal(pinreg_lru_oldest(&it), newest);
	pinreg_lru_touch(&it, newest, 5);
	assert_int_equal(pinreg_lru_oldest(&it), oldest);
	stamp(oldest, 6);
	assert_int_equal(pinreg_lru_oldest(&it), between); /* touched at 4, whatever its stamp is */
	close_it();
}

/* The order cannot be right then; but each is there, once. */
static void lru__stamps_too_far_apart(void **state)
{
	(void)state;
	bool gone[MOST + 1] = { false };
	chance_seed(5);
	open_for(MOST);
	for (uint32_t i = 0; i < MOST; i++)
		add((uint32_t)chance());
	for (unsigned int i = 0; i < 100000; i++) {
		uint32_t slot = pinreg_lru_oldest(&it);
		stamp(slot, (uint32_t)chance());
		pinreg_lru_touch(&it, (uint32_t)chance_below(MOST) + 1, (uint32_t)chance());
	}
	check_places();
	for (uint32_t i = 0; i < MOST; i++) {
		uint32_t slot = pinreg_lru_oldest(&it);
		assert_in_range(slot, 1, MOST);
		assert_false(gone[slot]);
		gone[slot] = true;
		pinreg_lru_remove(&it, slot);
	}
	assert_int_equal(pinreg_lru_oldest(&it), 0);
	close_it();
}

static void lru__a_million(void **state)
{
	(void)state;
	chance_seed(6);
	open_for(MILLION);
	for (uint32_t i = 0; i < MILLION; i++)
		add((uint32_t)chance_below(1u << 30));
	/* all were used since */
	for (uint32_t i = 1; i <= MILLION; i++)
		stamp(i, slots.regions[i].stamp + (uint32_t)chance_below(1u << 30));
	uint32_t before = 0;
	for (uint32_t i = 0; i < MILLION; i++) {
		uint32_t slot = pinreg_lru_oldest(&it);
		assert_true(slots.regions[slot].stamp >= before);
		before = slots.regions[slot].stamp;
		pinreg_lru_remove(&it, slot);
	}
	assert_int_equal(it.count, 0);
	close_it();
}

static _Atomic(bool) ended;

static void *use_them(void *unused)
{
	for (uint32_t clock = 1; !atomic_load(&ended); clock++)
		stamp(clock % 64 + 1, clock);
	return unused;
}

/* Whoever asks gets an answer, and loses nobody. */
static void lru__used_meanwhile(void **state)
{
	(void)state;
	pthread_t user;
	open_for(64);
	for (uint32_t i = 0; i < 64; i++)
		add(0);
	test_ok(-pthread_create(&user, NULL, use_them, NULL));
	for (unsigned int i = 0; i < 200000; i++) {
		uint32_t slot = pinreg_lru_oldest(&it);
		assert_in_range(slot, 1, 64);
		if (i % 2) {
			pinreg_lru_remove(&it, slot);
			pinreg_lru_add(&it, slot);
		}
	}
	atomic_store(&ended, true);
	test_ok(-pthread_join(user, NULL));
	check_places();
	assert_int_equal(it.count, 64);
	close_it();
}

static int no_memory(uint64_t length, void **out)
{
	(void)length;
	(void)out;
	return -ENOMEM;
}

static void lru__no_memory(void **state)
{
	(void)state;
	struct pinreg_sys table = pinreg_sys_real;
	table.map_anonymous = no_memory;
	test_ok(pinreg_slots_open(&slots, &pinreg_sys_real, 1));
	assert_int_equal(pinreg_lru_open(&it, &table, &slots), -ENOMEM);
	assert_null(it.heap);
	pinreg_slots_close(&slots, &pinreg_sys_real);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(model__few),
	cmocka_unit_test(model__a_slow_clock),
	cmocka_unit_test(model__stamps_that_wrap),
	cmocka_unit_test(model__left_alone_for_long),
	cmocka_unit_test(model__a_thousand),
	cmocka_unit_test(lru__empty),
	cmocka_unit_test(lru__used_before_and_after_the_wrap),
	cmocka_unit_test(lru__stamps_too_far_apart),
	cmocka_unit_test(lru__a_million),
	cmocka_unit_test(lru__used_meanwhile),
	cmocka_unit_test(lru__no_memory),
};

TEST_MAIN(cases)
