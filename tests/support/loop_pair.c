/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop_pair.c -- two registered buffers and a connection between them.
 */
#include "support/loop_pair.h"

#include <stdlib.h>
#include <string.h>

#include "support/test.h"

static const struct pinreg_sys *const sys = &pinreg_sys_real;

void loop_pair_open(struct loop_pair *pair, unsigned int access)
{
	test_ok(sys->loop_open(guest_device.pd, guest_device.port, &pair->loop));
	pair->wanted = malloc(LOOP_PAIR_LENGTH);
	assert_non_null(pair->wanted);
	for (int i = 0; i < 2; i++) {
		void *memory;

		test_ok(sys->map_anonymous(LOOP_PAIR_LENGTH, &memory));
		pair->memory[i] = memory;
		test_ok(sys->mr_register(guest_device.pd, memory, LOOP_PAIR_LENGTH,
					 (uintptr_t)memory, i ? access : GUEST_ACCESS,
					 &pair->mr[i]));
	}
}

void loop_pair_close(struct loop_pair *pair)
{
	sys->loop_close(pair->loop);
	for (int i = 0; i < 2; i++) {
		test_ok(sys->mr_deregister(pair->mr[i]));
		test_ok(sys->unmap(pair->memory[i], LOOP_PAIR_LENGTH));
	}
	free(pair->wanted);
}

int loop_pair_move(struct loop_pair *pair, bool write, size_t offset, uint32_t length)
{
	return (write ? sys->loop_write : sys->loop_read)(
		pair->loop, pair->mr[0], (uintptr_t)pair->memory[0] + offset, pair->mr[1]->rkey,
		(uintptr_t)pair->memory[1] + offset, length);
}

static void randomize(uint8_t *bytes, size_t length)
{
	static uint64_t word = 88172645463325252u;

	for (size_t i = 0; i < length; i++) {
		word ^= word << 13;
		word ^= word >> 7;
		word ^= word << 17;
		bytes[i] = (uint8_t)(word >> 32);
	}
}

bool loop_pair_arrives(struct loop_pair *pair, bool write, size_t offset, uint32_t length)
{
	uint8_t *to = pair->memory[write ? 1 : 0];
	const uint8_t *from = pair->memory[write ? 0 : 1];

	randomize(pair->memory[0], LOOP_PAIR_LENGTH);
	randomize(pair->memory[1], LOOP_PAIR_LENGTH);
	memcpy(pair->wanted, to, LOOP_PAIR_LENGTH);
	memcpy(pair->wanted + offset, from + offset, length);
	test_ok(loop_pair_move(pair, write, offset, length));
	return !memcmp(to, pair->wanted, LOOP_PAIR_LENGTH);
}

bool loop_pair_atomics_right(struct loop_pair *pair, size_t offset, bool dropped)
{
	uint64_t answer = (uintptr_t)pair->memory[0], place = (uintptr_t)pair->memory[1] + offset;
	uint32_t rkey = pair->mr[1]->rkey;
	uint64_t old, now, given[2];

	randomize(pair->memory[0], LOOP_PAIR_LENGTH);
	randomize(pair->memory[1], LOOP_PAIR_LENGTH);
	if (dropped)
		memset(pair->memory[1], 0, LOOP_PAIR_LENGTH);
	memcpy(pair->wanted, pair->memory[1], LOOP_PAIR_LENGTH);
	memcpy(&old, pair->wanted + offset, 8);
	if (dropped)
		test_ok(sys->drop(pair->memory[1], LOOP_PAIR_LENGTH));
	test_ok(sys->loop_fetch_add(pair->loop, pair->mr[0], answer, rkey, place, 12345));
	now = old + 12345;
	test_ok(sys->loop_compare_swap(pair->loop, pair->mr[0], answer + 8, rkey, place, now, 77));
	memcpy(given, pair->memory[0], sizeof(given));
	memcpy(pair->wanted + offset, &(uint64_t){ 77 }, 8);
	return given[0] == old && given[1] == now &&
	       !memcmp(pair->memory[1], pair->wanted, LOOP_PAIR_LENGTH);
}

bool loop_pair_odd_arrive(struct loop_pair *pair, bool write)
{
	static const struct {
		size_t offset;
		uint32_t length;
	} odd[] = { { 5, 1 }, { 513, 3000 }, { 4095, 2 }, { 8191, 65537 }, { 12288, 4095 } };
	bool right = true;

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		right &= loop_pair_arrives(pair, write, odd[i].offset, odd[i].length);
	return right;
}
