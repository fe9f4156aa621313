/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop_pair.h -- two registered buffers and a connection between them.
 */
#ifndef PINREG_TESTS_SUPPORT_LOOP_PAIR_H
#define PINREG_TESTS_SUPPORT_LOOP_PAIR_H

#include "support/guest_device.h"

#define LOOP_PAIR_LENGTH (128u << 10)

/* The first is local and pinned, the second remote. */
struct loop_pair {
	struct pinreg_loop *loop;
	uint8_t *memory[2];
	struct ibv_mr *mr[2];
	uint8_t *wanted;
};

/* access: of the remote one */
void loop_pair_open(struct loop_pair *pair, unsigned int access);
void loop_pair_close(struct loop_pair *pair);

/* Write or read. 0, or -errno. */
int loop_pair_move(struct loop_pair *pair, bool write, size_t offset, uint32_t length);

/* Is every byte, also around the transfer, what it has to be afterwards? */
bool loop_pair_arrives(struct loop_pair *pair, bool write, size_t offset, uint32_t length);

/*
 * Fetch-and-add, then compare-and-swap, of the eight bytes at offset: is the word,
 * what was given back, and every byte around what it has to be? dropped: the
 * remote memory's pages are not there when the first of them comes.
 */
bool loop_pair_atomics_right(struct loop_pair *pair, size_t offset, bool dropped);

/* The same for several odd offsets and lengths: are all right? */
bool loop_pair_odd_arrive(struct loop_pair *pair, bool write);

#endif
