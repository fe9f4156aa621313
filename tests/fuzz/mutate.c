/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mutate.c -- the kept inputs, and seeded changes of them, without libFuzzer.
 *
 * Usage: PROGRAM COUNT FILE...
 * Runs each file as it is, then COUNT inputs that are made of them, the same each
 * time. It aborts where a property is broken. Exit status: 0; 1 where all or none
 * of the changed ones were accepted, so that not much was tried; 2 usage.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"

#define ROOM 128
#define SEEDS_MAX 64

struct seed {
	uint8_t data[ROOM];
	size_t size;
};

static struct seed seeds[SEEDS_MAX];
static size_t seed_count;

/* splitmix64 */
static uint64_t next(void)
{
	static uint64_t state = 20260101;
	uint64_t mixed = state += UINT64_C(0x9e3779b97f4a7c15);
	mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
	return mixed ^ mixed >> 31;
}

static size_t below(size_t limit)
{
	return (size_t)(next() % limit);
}

static void read_seed(const char *path)
{
	FILE *file = fopen(path, "re");
	if (!file || seed_count == SEEDS_MAX) {
		fprintf(stderr, "%s: cannot be read, or is one too many\n", path);
		exit(2);
	}
	struct seed *seed = &seeds[seed_count++];
	seed->size = fread(seed->data, 1, ROOM, file);
	fclose(file);
}

/* A number as they stand at the borders, in 1, 2, 4 or 8 bytes. */
static void put_border(struct seed *it)
{
	static const uint64_t borders[] = {
		0, 1, 2, 4095, 4096, 4097, UINT64_MAX, UINT64_MAX - 1, UINT64_MAX - 4095,
	};
	uint64_t value = borders[below(sizeof(borders) / sizeof(borders[0]))];
	size_t bytes = (size_t)1 << below(4);
	if (it->size < bytes)
		return;
	size_t at = below(it->size / bytes) * bytes;
	for (size_t i = 0; i < bytes; i++)
		it->data[at + i] = (uint8_t)(value >> 8 * i);
}

/* The same bytes of another one. */
static void cross(struct seed *it)
{
	const struct seed *other = &seeds[below(seed_count)];
	size_t common = it->size < other->size ? it->size : other->size;
	if (!common)
		return;
	size_t at = below(common);
	memcpy(it->data + at, other->data + at, below(common - at) + 1);
}

static void change(struct seed *it)
{
	switch (it->size ? below(8) : 7) {
	case 0:
	case 1:
		it->data[below(it->size)] ^= (uint8_t)(1 << below(8));
		break;
	case 2:
		it->data[below(it->size)] = (uint8_t)next();
		break;
	case 3:
	case 4:
		put_border(it);
		break;
	case 5:
	case 6:
		cross(it);
		break;
	default: /* seldom: another length is refused at once */
		if (!below(16))
			it->size = below(ROOM);
	}
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: %s COUNT FILE...\n", argv[0]);
		return 2;
	}
	unsigned long count = strtoul(argv[1], NULL, 10), accepted = 0;
	for (int i = 2; i < argc; i++)
		read_seed(argv[i]);
	for (size_t i = 0; i < seed_count; i++)
		fuzz_one(seeds[i].data, seeds[i].size);
	for (unsigned long i = 0; i < count; i++) {
		struct seed it = seeds[below(seed_count)];
		for (size_t changes = below(4) + 1; changes; changes--)
			change(&it);
		accepted += fuzz_one(it.data, it.size);
	}
	printf("%zu files, %lu changed: %lu accepted\n", seed_count, count, accepted);
	return accepted > 0 && accepted < count ? 0 : 1;
}
