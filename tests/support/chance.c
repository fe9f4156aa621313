/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chance.c -- a small generator (xorshift, with its output multiplied).
 */
#include "support/chance.h"

#include <stdlib.h>

#include "support/test.h"

static uint64_t last = 1;

void chance_seed(uint64_t seed)
{
	const char *wanted = getenv("PINREG_TEST_SEED");
	if (wanted)
		seed = strtoull(wanted, NULL, 0);
	print_message("PINREG_TEST_SEED=%llu\n", (unsigned long long)seed);
	last = seed * 2 + 1; /* never 0 */
	for (unsigned int i = 0; i < 16; i++)
		chance();
}

uint64_t chance(void)
{
	last ^= last >> 12;
	last ^= last << 25;
	last ^= last >> 27;
	return last * 0x9e3779b97f4a7c15u;
}

uint64_t chance_below(uint64_t limit)
{
	return (chance() >> 16) % limit;
}
