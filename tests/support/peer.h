/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peer.h -- messages that an owner sends, kept as a peer would get them.
 */
#ifndef PINREG_TESTS_SUPPORT_PEER_H
#define PINREG_TESTS_SUPPORT_PEER_H

#include <pinreg/pinreg.h>

#define PEER_ROOM 64

/* The context of peer_send(). */
struct peer {
	unsigned char bytes[PEER_ROOM][PINREG_DESCRIPTOR_LENGTH];
	unsigned int count;
	int status; /* that sending gives; not 0: nothing is kept */
};

/* A pinreg_send_function. */
int peer_send(void *context, const void *message, size_t length);

/* Message number index, imported; fails the case where there is none. */
struct pinreg_descriptor peer_message(const struct peer *peer, unsigned int index);

/* Has it got so many, and is the last one of that generation and those flags? */
void peer_expect(const struct peer *peer, unsigned int count, uint64_t generation,
		 unsigned int flags);

#endif
