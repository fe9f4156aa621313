/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz.h -- a fuzz target: one function, two that drive it.
 *
 * libfuzzer.c lets clang's libFuzzer find inputs. mutate.c needs no more than a
 * compiler: it runs the kept inputs and seeded changes of them.
 */
#ifndef PINREG_TESTS_FUZZ_FUZZ_H
#define PINREG_TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Does not come back if a property is broken. Was any form of the input accepted? */
bool fuzz_one(const uint8_t *data, size_t size);

#endif
