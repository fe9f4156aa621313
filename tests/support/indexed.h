/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * indexed.h -- an index of a cache's regions, and the slots that it is of.
 */
#ifndef PINREG_TESTS_SUPPORT_INDEXED_H
#define PINREG_TESTS_SUPPORT_INDEXED_H

#include <stdint.h>

#include "cache/index.h"
#include "cache/slots.h"

/* The ones in use; there is one of each in a process. */
extern struct pinreg_slots indexed_slots;
extern struct pinreg_index indexed_it;

/* So many slots, none taken, and an empty index. Who opens them closes the slots. */
void indexed_open(uint32_t max);

/* The range that a slot is to have before it is inserted, to its last byte. */
void indexed_put(uint32_t slot, uint64_t start, uint64_t last);

#endif
