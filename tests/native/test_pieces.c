/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_pieces.c -- where slow work is cut, and when it is asked whether to stop.
 */
#include <errno.h>

#include "region/pieces.h"
#include "support/test.h"

static struct {
	uint64_t offset[8], length[8];
	unsigned int count;
	unsigned int asked;
	unsigned int stop_at; /* the question of this number is answered by a yes */
	int fail;	      /* what the second piece gives */
} cut;

static int note_piece(void *context, uint64_t offset, uint64_t length, struct pinreg_why *why)
{
	assert_ptr_equal(context, &cut);
	assert_null(why);
	cut.offset[cut.count] = offset;
	cut.length[cut.count] = length;
	return ++cut.count == 2 ? cut.fail : 0;
}

static int note_question(void *context, struct pinreg_why *why)
{
	assert_ptr_equal(context, &cut);
	assert_null(why);
	return ++cut.asked == cut.stop_at ? -EBUSY : 0;
}

static int do_pieces(uint64_t offset, uint64_t length)
{
	struct pinreg_stop stop = { .asked = note_question, .context = &cut };
	cut.count = cut.asked = 0;
	return pinreg_pieces_do(note_piece, &cut, offset, length, &stop, NULL);
}

static void pieces__end_at_multiples_and_ask_in_between(void **state)
{
	(void)state;
	test_ok(do_pieces(100, 2 * PINREG_PIECE));
	assert_int_equal(cut.count, 3);
	assert_int_equal(cut.asked, 2);
	assert_int_equal(cut.offset[0], 100);
	assert_int_equal(cut.length[0], PINREG_PIECE - 100);
	assert_int_equal(cut.offset[1], PINREG_PIECE);
	assert_int_equal(cut.length[1], PINREG_PIECE);
	assert_int_equal(cut.offset[2], 2 * PINREG_PIECE);
	assert_int_equal(cut.length[2], 100);
	/* what is one piece, or none, is not held up by a question */
	test_ok(do_pieces(PINREG_PIECE, PINREG_PIECE));
	assert_int_equal(cut.count, 1);
	assert_int_equal(cut.asked, 0);
	test_ok(do_pieces(5, 0));
	assert_int_equal(cut.count, 0);
}

static void pieces__stop_or_fail_in_the_middle(void **state)
{
	(void)state;
	cut.stop_at = 1;
	assert_int_equal(do_pieces(0, 3 * PINREG_PIECE), -EBUSY);
	assert_int_equal(cut.count, 1);
	cut.stop_at = 0;
	cut.fail = -EIO;
	assert_int_equal(do_pieces(0, 3 * PINREG_PIECE), -EIO);
	assert_int_equal(cut.count, 2);
	assert_int_equal(cut.asked, 1);
}

static void pieces__one_where_nobody_asks(void **state)
{
	(void)state;
	struct pinreg_stop nobody = { .asked = NULL };
	cut.count = cut.asked = 0;
	test_ok(pinreg_pieces_do(note_piece, &cut, 100, 3 * PINREG_PIECE, &nobody, NULL));
	assert_int_equal(cut.count, 1);
	assert_int_equal(cut.offset[0], 100);
	assert_int_equal(cut.length[0], 3 * PINREG_PIECE);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(pieces__one_where_nobody_asks),
	cmocka_unit_test(pieces__end_at_multiples_and_ask_in_between),
	cmocka_unit_test(pieces__stop_or_fail_in_the_middle),
};

TEST_MAIN(cases)
