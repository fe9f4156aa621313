/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_emptied.c -- memory that a thread is about to empty, at times of our choice.
 */
#include "cache/emptied.h"
#include "support/test.h"

#define SECOND 1000000000ull
#define NOW (1000 * SECOND)

static struct pinreg_emptied emptied;

static bool touches(uint64_t start, uint64_t end, uint64_t at)
{
	return pinreg_emptied_touches(&emptied, start, end, at);
}

static void emptied__range_and_its_neighbours(void **state)
{
	(void)state;
	pinreg_emptied_open(&emptied);
	assert_false(touches(0, UINT64_MAX, 0));
	pinreg_emptied_add(&emptied, 4096, 8192, NOW);
	assert_false(touches(0, 4096, NOW));
	assert_true(touches(0, 4097, NOW));
	assert_true(touches(5000, 5001, NOW));
	assert_true(touches(8191, 9000, NOW));
	assert_false(touches(8192, 9000, NOW));
	pinreg_emptied_close(&emptied);
}

static void emptied__until_its_time_is_over(void **state)
{
	(void)state;
	pinreg_emptied_open(&emptied);
	pinreg_emptied_add(&emptied, 4096, 8192, NOW);
	pinreg_emptied_add(&emptied, 4096, 8192, NOW + SECOND / 2);
	assert_true(touches(4096, 4097, NOW + SECOND));
	assert_true(touches(4096, 4097, NOW + SECOND + SECOND / 2 - 1));
	assert_false(touches(4096, 4097, NOW + SECOND + SECOND / 2));
	pinreg_emptied_close(&emptied);
}

/* None is forgotten: where there is no room for it all memory is meant. */
static void emptied__more_than_there_is_room_for(void **state)
{
	(void)state;
	pinreg_emptied_open(&emptied);
	for (uint64_t i = 0; i < PINREG_EMPTIED_ROOM; i++)
		pinreg_emptied_add(&emptied, i * 8192, i * 8192 + 4096, NOW + i);
	assert_true(touches(0, 1, NOW + 100));
	assert_false(touches(1ull << 40, 1ull << 41, NOW + 100));
	pinreg_emptied_add(&emptied, 1ull << 50, (1ull << 50) + 4096, NOW + 100);
	assert_true(touches(1ull << 40, 1ull << 41, NOW + 100));
	assert_true(touches(0, 1, NOW + SECOND - 1));
	/* that of the first is over, the others stay */
	assert_false(touches(0, 1, NOW + SECOND));
	assert_true(touches(8192, 8193, NOW + SECOND));
	assert_true(touches(1ull << 50, 1ull << 51, NOW + SECOND));
	/* and an old one makes room for nothing but itself */
	pinreg_emptied_add(&emptied, 0, 1, NOW + 3 * SECOND);
	assert_false(touches(1ull << 40, 1ull << 41, NOW + 3 * SECOND));
	pinreg_emptied_close(&emptied);
}

/* A heap that is given back in more pieces than there is room for is one range. */
static void emptied__piece_by_piece(void **state)
{
	(void)state;
	pinreg_emptied_open(&emptied);
	for (uint64_t i = 0; i < 10 * PINREG_EMPTIED_ROOM; i++)
		pinreg_emptied_add(&emptied, i * 4096, (i + 1) * 4096, NOW + i);
	assert_true(touches(0, 1, NOW + SECOND));
	assert_true(touches(4096 * 5 * PINREG_EMPTIED_ROOM, UINT64_MAX, NOW + SECOND));
	assert_false(touches(1ull << 40, 1ull << 41, NOW + 1000));
	pinreg_emptied_close(&emptied);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(emptied__range_and_its_neighbours),
	cmocka_unit_test(emptied__until_its_time_is_over),
	cmocka_unit_test(emptied__more_than_there_is_room_for),
	cmocka_unit_test(emptied__piece_by_piece),
};

TEST_MAIN(cases)
