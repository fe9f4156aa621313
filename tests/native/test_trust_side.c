/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_trust_side.c -- patterns of the data test, and what is found wrong in them.
 */
#include "plan/trust_side.h"
#include "support/fake_device.h"
#include "support/test.h"

static struct pinreg_device device;

/* Bytes of the window that would look right although they came from elsewhere. */
static uint64_t alike(const uint8_t *image, uint64_t shift, uint64_t window)
{
	uint64_t count = 0;

	for (uint64_t i = 0; i < window; i++)
		count += image[i] == image[i + shift];
	return count;
}

static void pattern__nothing_misplaced_looks_right(void **state)
{
	(void)state;
	struct pinreg_trust_side side;
	const uint64_t window = 8192;

	fake_device_reset();
	fake_device_use(&device);
	test_ok(pinreg_trust_side_open(&side, &device, NULL, 64 << 10, 0));
	pinreg_trust_side_fill(&side, 0, side.length, 9);
	for (uint64_t shift = 1; shift < 256; shift++)
		assert_true(alike(side.image, shift, window) < window / 8);
	for (uint64_t shift = 256; shift + window <= side.length; shift += 256)
		assert_true(alike(side.image, shift, window) < window / 8);
	pinreg_trust_side_close(&side);
	fake_device_assert_empty();
}

static void pattern__each_seed_differs_in_each_byte(void **state)
{
	(void)state;
	struct pinreg_trust_side side;
	uint8_t seen[64][PINREG_TRUST_SEEDS] = { 0 };

	fake_device_reset();
	fake_device_use(&device);
	test_ok(pinreg_trust_side_open(&side, &device, NULL, 64, 0));
	for (unsigned int seed = 0; seed < PINREG_TRUST_SEEDS; seed++) {
		pinreg_trust_side_fill(&side, 0, 64, seed);
		for (int i = 0; i < 64; i++)
			assert_int_equal(seen[i][side.memory[i]]++, 0);
	}
	pinreg_trust_side_close(&side);
}

static void settle__counts_and_repairs(void **state)
{
	(void)state;
	struct pinreg_trust_side side;

	fake_device_reset();
	fake_device_use(&device);
	test_ok(pinreg_trust_side_open(&side, &device, NULL, 4096, 0));
	pinreg_trust_side_fill(&side, 100, 50, 1);
	assert_int_equal(pinreg_trust_side_settle(&side), 0);
	side.memory[0]++;
	side.memory[149]++;
	side.memory[4095]++;
	assert_int_equal(pinreg_trust_side_settle(&side), 3);
	assert_int_equal(pinreg_trust_side_settle(&side), 0);
	pinreg_trust_side_close(&side);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(pattern__nothing_misplaced_looks_right),
	cmocka_unit_test(pattern__each_seed_differs_in_each_byte),
	cmocka_unit_test(settle__counts_and_repairs),
};

TEST_MAIN(cases)
