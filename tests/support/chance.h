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

/* ---- for many threads: each has a state of its own ---- */

/* To begin with: that of the environment, else another one each time. Printed as well. */
uint64_t chance_new_seed(void);

/* Any of 64 bits; 0 to count - 1. Both advance the state. */
uint64_t chance_next(uint64_t *state);
unsigned int chance_of(uint64_t *state, unsigned int count);

/* ---- how long, how often ---- */

/* The number of that name in the environment, or what it is otherwise. */
uint64_t chance_setting(const char *name, uint64_t otherwise);

#endif
