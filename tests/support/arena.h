/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arena.h -- addresses at which a test may map and unmap as it likes: the kernel gives
 * them to nobody who does not ask for them.
 */
#ifndef PINREG_TESTS_SUPPORT_ARENA_H
#define PINREG_TESTS_SUPPORT_ARENA_H

#include <stdbool.h>
#include <stddef.h>

/* So many bytes of address space with nothing in it. */
unsigned char *arena_open(size_t length);

/*
 * Anonymous private memory in place of what is there; fails the test if it cannot be had.
 * try: only where nothing is, else false.
 */
void arena_map(void *addr, size_t length, int prot);
bool arena_try(void *addr, size_t length);

#endif
