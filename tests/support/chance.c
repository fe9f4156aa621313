/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chance.c -- a small generator (xorshift, with its output multiplied).
 */
#include "support/chance.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

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

uint64_t chance_setting(const char *name, uint64_t otherwise)
{
	const char *value = getenv(name);
	return value && *value ? strtoull(value, NULL, 0) : otherwise;
}

uint64_t chance_new_seed(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	uint64_t any =
		(uint64_t)now.tv_nsec << 20 ^ (uint64_t)now.tv_sec ^ (uint64_t)getpid() << 44;
	uint64_t seed = chance_setting("PINREG_TEST_SEED", chance_next(&any));
	printf("PINREG_TEST_SEED=0x%lx\n", (unsigned long)seed);
	fflush(stdout);
	return seed;
}

uint64_t chance_next(uint64_t *state)
{
	/* splitmix64 */
	uint64_t mixed = *state += 0x9e3779b97f4a7c15u;
	mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
	mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
	return mixed ^ mixed >> 31;
}

unsigned int chance_of(uint64_t *state, unsigned int count)
{
	return (unsigned int)((chance_next(state) >> 32) % count);
}
