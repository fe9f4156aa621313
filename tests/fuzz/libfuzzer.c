/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libfuzzer.c -- the entry point that clang's libFuzzer calls.
 */
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_one(data, size);
	return 0;
}
