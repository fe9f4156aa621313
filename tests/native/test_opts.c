/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_opts.c -- option and info structs that are older or newer than the library.
 */
#include <errno.h>
#include <string.h>

#include "base/opts.h"
#include "support/test.h"

/* What the library knows ... */
struct known {
	size_t size;
	uint64_t first;
	uint64_t second;
};

/* ... what a caller's older and newer header knows. */
struct older {
	size_t size;
	uint64_t first;
};

struct newer {
	size_t size;
	uint64_t first;
	uint64_t second;
	uint64_t third;
};

static void options__null_are_the_defaults(void **state)
{
	(void)state;
	struct known known = { 1, 2, 3 };
	assert_int_equal(pinreg_opts_read(NULL, &known, sizeof(known)), 0);
	assert_int_equal(known.size, sizeof(known));
	assert_int_equal(known.first, 0);
	assert_int_equal(known.second, 0);
}

static void options__same_age(void **state)
{
	(void)state;
	struct known user = { sizeof(user), 2, 3 };
	struct known known;
	assert_int_equal(pinreg_opts_read(&user, &known, sizeof(known)), 0);
	assert_memory_equal(&user, &known, sizeof(known));
}

static void options__shorter(void **state)
{
	(void)state;
	struct older user = { sizeof(user), 2 };
	struct known known = { 1, 2, 3 };
	assert_int_equal(pinreg_opts_read(&user, &known, sizeof(known)), 0);
	assert_int_equal(known.size, sizeof(known));
	assert_int_equal(known.first, 2);
	assert_int_equal(known.second, 0);
}

static void options__longer_with_zero_tail(void **state)
{
	(void)state;
	struct newer user = { sizeof(user), 2, 3, 0 };
	struct known known;
	assert_int_equal(pinreg_opts_read(&user, &known, sizeof(known)), 0);
	assert_int_equal(known.size, sizeof(known));
	assert_int_equal(known.second, 3);
}

static void options__longer_with_last_byte_set(void **state)
{
	(void)state;
	struct newer user = { sizeof(user), 2, 3, 0 };
	((unsigned char *)&user)[sizeof(user) - 1] = 1;
	struct known known;
	assert_int_equal(pinreg_opts_read(&user, &known, sizeof(known)), -EINVAL);
}

static void options__garbage_size(void **state)
{
	(void)state;
	const size_t garbage[] = { 0, 1, sizeof(size_t) - 1, 4097, SIZE_MAX };
	for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		struct known user = { garbage[i], 2, 3 };
		struct known known;
		assert_int_equal(pinreg_opts_read(&user, &known, sizeof(known)), -EINVAL);
	}
}

static void info__null_or_garbage_size(void **state)
{
	(void)state;
	size_t first = offsetof(struct known, second);
	assert_int_equal(pinreg_info_check(NULL, first), -EINVAL);
	const size_t garbage[] = { 0, sizeof(size_t), first - 1, 4097, SIZE_MAX };
	for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		struct known user = { garbage[i], 2, 3 };
		assert_int_equal(pinreg_info_check(&user, first), -EINVAL);
	}
	struct known user = { first, 2, 3 };
	assert_int_equal(pinreg_info_check(&user, first), 0);
}

static void info__shorter_is_not_overrun(void **state)
{
	(void)state;
	struct known user = { sizeof(struct older), 0, 7 };
	const struct known known = { sizeof(known), 2, 3 };
	pinreg_info_write(&user, &known, sizeof(known));
	assert_int_equal(user.size, sizeof(struct older));
	assert_int_equal(user.first, 2);
	assert_int_equal(user.second, 7);
}

static void info__longer_gets_a_zero_tail(void **state)
{
	(void)state;
	struct newer user = { sizeof(user), 9, 9, 9 };
	const struct known known = { sizeof(known), 2, 3 };
	pinreg_info_write(&user, &known, sizeof(known));
	assert_int_equal(user.size, sizeof(user));
	assert_int_equal(user.first, 2);
	assert_int_equal(user.second, 3);
	assert_int_equal(user.third, 0);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(options__null_are_the_defaults),
	cmocka_unit_test(options__same_age),
	cmocka_unit_test(options__shorter),
	cmocka_unit_test(options__longer_with_zero_tail),
	cmocka_unit_test(options__longer_with_last_byte_set),
	cmocka_unit_test(options__garbage_size),
	cmocka_unit_test(info__null_or_garbage_size),
	cmocka_unit_test(info__shorter_is_not_overrun),
	cmocka_unit_test(info__longer_gets_a_zero_tail),
};

TEST_MAIN(cases)
