/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peer.c -- messages that an owner sends, kept as a peer would get them.
 */
#include "support/peer.h"

#include <string.h>

#include "support/test.h"

int peer_send(void *context, const void *message, size_t length)
{
	struct peer *peer = context;
	assert_int_equal(length, PINREG_DESCRIPTOR_LENGTH);
	if (peer->status)
		return peer->status;
	assert_true(peer->count < PEER_ROOM);
	memcpy(peer->bytes[peer->count++], message, length);
	return 0;
}

struct pinreg_descriptor peer_message(const struct peer *peer, unsigned int index)
{
	struct pinreg_descriptor it = { .size = sizeof(it) };
	assert_true(index < peer->count);
	test_ok(pinreg_descriptor_import(peer->bytes[index], PINREG_DESCRIPTOR_LENGTH, &it));
	return it;
}

void peer_expect(const struct peer *peer, unsigned int count, uint64_t generation,
		 unsigned int flags)
{
	assert_int_equal(peer->count, count);
	struct pinreg_descriptor last = peer_message(peer, count - 1);
	assert_int_equal(last.generation, generation);
	assert_int_equal(last.flags, flags);
}
