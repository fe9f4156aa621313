/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chance.h -- random numbers that can be had again.
 */
#ifndef PINREG_TESTS_SUPPORT_CHANCE_H
#define PINREG_TESTS_SUPPORT_CHANCE_H

#include <stdint.h>

/*
 * Begin with this seed, or with that of the environment's PINREG_TEST_SEED, and print
 * which: CTest shows it where the case fails.
 */
void chance_seed(uint64_t seed);

/* Any of 64 bits. For one thread. */
uint64_t chance(void);

/* 0 to limit - 1. */
uint64_t chance_below(uint64_t limit);

#endif
