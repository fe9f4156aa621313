/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_populate.c -- touching cold memory: what is touched and what is left
 * alone. The system is the real one; the table of touching.h in front of it counts.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/runs.h"
#include "support/test.h"
#include "support/touching.h"
#include "sys/real.h"

static void cold__is_touched(void **state)
{
	(void)state;
	unsigned char *memory = touching_cold(TOUCHING_ROOM);
	assert_int_equal(touching_resident(memory, TOUCHING_ROOM), 0);
	test_ok(touching_do(memory, TOUCHING_ROOM, NULL));
	assert_int_equal(touching_resident(memory, TOUCHING_ROOM), TOUCHING_ROOM / page_size());
	assert_int_equal(touching.bytes, TOUCHING_ROOM);
	assert_int_equal(memory[TOUCHING_ROOM / 2], 0);
}

static void cold__data_in_it_stays(void **state)
{
	(void)state;
	unsigned char *memory = touching_cold(TOUCHING_ROOM);
	for (size_t i = 0; i < TOUCHING_ROOM; i += 3 * MIB)
		memory[i] = (unsigned char)(i / MIB + 1);
	test_ok(touching_do(memory, TOUCHING_ROOM, NULL));
	for (size_t i = 0; i < TOUCHING_ROOM; i += 3 * MIB)
		assert_int_equal(memory[i], (unsigned char)(i / MIB + 1));
}

static void cold__odd_start_and_length(void **state)
{
	(void)state;
	unsigned char *memory = touching_cold(TOUCHING_ROOM);
	size_t before = 5 * page_size();
	test_ok(touching_do(memory + before + 123, 40 * MIB + 7, NULL));
	assert_int_equal(touching_resident(memory + before + 123, 40 * MIB + 7),
			 40 * MIB / page_size() + 1);
	assert_int_equal(touching_resident(memory, before), 0);
	assert_int_equal(touching_resident(memory + before + 40 * MIB + page_size(), 10 * MIB), 0);
}

static void cold__shared_memory(void **state)
{
	(void)state;
	int fd = memfd_create("test", MFD_CLOEXEC);
	test_ok(ftruncate(fd, TOUCHING_ROOM));
	unsigned char *memory = map_or_fail(TOUCHING_ROOM, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	test_ok(touching_do(memory, TOUCHING_ROOM, NULL));
	assert_int_equal(touching_resident(memory, TOUCHING_ROOM), TOUCHING_ROOM / page_size());
}

static void cold__read_only_shared_memory(void **state)
{
	(void)state;
	struct pinreg_populate how = { .write = false };
	int fd = memfd_create("test", MFD_CLOEXEC);
	test_ok(ftruncate(fd, TOUCHING_ROOM));
	test_ok(touching_do(map_or_fail(TOUCHING_ROOM, PROT_READ, MAP_SHARED, fd), TOUCHING_ROOM,
			    &how));
	assert_int_equal(touching.bytes, TOUCHING_ROOM);
}

static void cold__read_only_private_memory_is_left_alone(void **state)
{
	(void)state;
	struct pinreg_populate how = { .write = false, .huge = true };
	void *memory = map_or_fail(TOUCHING_ROOM, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	test_ok(touching_do(memory, TOUCHING_ROOM, &how));
	assert_int_equal(touching.populated, 0);
}

static void cold__small_is_not_even_looked_at(void **state)
{
	(void)state;
	unsigned char *memory = touching_cold(TOUCHING_ROOM);
	test_ok(touching_do(memory, PINREG_POPULATE_SMALLEST - 1, NULL));
	assert_int_equal(touching.looks, 0);
	assert_int_equal(touching.populated, 0);
	test_ok(touching_do(memory, PINREG_POPULATE_SMALLEST, NULL));
	assert_int_equal(touching.bytes, PINREG_POPULATE_SMALLEST);
}

static void cold__behind_a_touched_beginning(void **state)
{
	(void)state;
	unsigned char *memory = touching_cold(TOUCHING_ROOM);
	memset(memory, 1, TOUCHING_ROOM / 4);
	test_ok(touching_do(memory, TOUCHING_ROOM, NULL));
	assert_int_equal(touching_resident(memory, TOUCHING_ROOM), TOUCHING_ROOM / page_size());
	/* most of what is there already is not gone through again */
	assert_in_range(touching.bytes, TOUCHING_ROOM * 3 / 4, TOUCHING_ROOM * 3 / 4 + 8 * MIB);
}

static void touched__is_left_alone(void **state)
{
	(void)state;
	unsigned char *memory = touching_cold(TOUCHING_ROOM);
	memset(memory, 1, TOUCHING_ROOM);
	test_ok(touching_do(memory, TOUCHING_ROOM, NULL));
	assert_int_equal(touching.populated, 0);
	assert_int_equal(touching.advised, 0);
	assert_int_equal(touching.looks, 1);
}

static void touched__only_for_reading_is_cold(void **state)
{
	(void)state;
	unsigned char *memory = touching_cold(TOUCHING_ROOM);
	unsigned int sum = 0;
	for (size_t i = 0; i < TOUCHING_ROOM; i += page_size())
		sum += ((volatile unsigned char *)memory)[i];
	assert_int_equal(sum, 0);
	test_ok(touching_do(memory, TOUCHING_ROOM, NULL));
	assert_int_equal(touching.bytes, TOUCHING_ROOM);
}

static void touched__by_another_mapping(void **state)
{
	(void)state;
	int fd = memfd_create("test", MFD_CLOEXEC);
	test_ok(ftruncate(fd, TOUCHING_ROOM));
	memset(map_or_fail(TOUCHING_ROOM, PROT_READ | PROT_WRITE, MAP_SHARED, fd), 1,
	       TOUCHING_ROOM);
	test_ok(touching_do(map_or_fail(TOUCHING_ROOM, PROT_READ | PROT_WRITE, MAP_SHARED, fd),
			    TOUCHING_ROOM, NULL));
	assert_int_equal(touching.populated, 0);
}

static bool resident_one(void *page)
{
	bool out;
	pinreg_real_resident(&page, 1, &out);
	return out;
}

static void resident__of_each_kind(void **state)
{
	(void)state;
	unsigned char *memory = touching_cold(16 * page_size());
	int fd = memfd_create("test", MFD_CLOEXEC);
	test_ok(ftruncate(fd, (off_t)(2 * page_size())));
	unsigned char *shared =
		map_or_fail(2 * page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	assert_false(resident_one(memory));
	(void)*(volatile unsigned char *)memory;
	memory[page_size()] = 1;
	assert_true(resident_one(memory + page_size() + 17));
	assert_false(resident_one(shared));
	test_ok(pwrite(fd, "x", 1, 0));
	assert_true(resident_one(shared));
	shared[page_size()] = 1;
	assert_true(resident_one(shared + page_size()));
	test_ok(munmap(memory, page_size()));
	assert_false(resident_one(memory));
}

static void huge__pages_are_given(void **state)
{
	(void)state;
	struct pinreg_populate how = { .write = true, .huge = true };
	touching_device.huge_size = pinreg_real_huge_size(&touching_device.huge_ask);
	if (!touching_device.huge_size)
		test_skip("transparent huge pages are off");
	unsigned char *memory =
		map_or_fail(TOUCHING_ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	test_ok(touching_do(memory + page_size(), TOUCHING_ROOM - 2 * page_size(), &how));
	assert_int_equal(touching.advised, touching_device.huge_ask);

	char line[256];
	unsigned long kib, sum = 0;
	FILE *rollup = fopen("/proc/self/smaps_rollup", "re");
	assert_non_null(rollup);
	while (fgets(line, sizeof(line), rollup))
		if (sscanf(line, "AnonHugePages: %lu kB", &kib) == 1)
			sum = kib;
	fclose(rollup);
	/* the ends cannot be, and some may not be had when memory is in pieces */
	assert_in_range(sum * 1024, TOUCHING_ROOM / 2, TOUCHING_ROOM);
	assert_int_equal(touching_resident(memory + page_size(), TOUCHING_ROOM - 2 * page_size()),
			 TOUCHING_ROOM / page_size() - 2);
}

static void huge__nobody_asks_for_touched_memory(void **state)
{
	(void)state;
	struct pinreg_populate how = { .write = true, .huge = true };
	unsigned char *memory = touching_cold(TOUCHING_ROOM);
	memset(memory, 1, TOUCHING_ROOM);
	touching_device.huge_size = pinreg_real_huge_size(&touching_device.huge_ask);
	test_ok(touching_do(memory, TOUCHING_ROOM, &how));
	assert_int_equal(touching.advised, 0);
}

static void hole__is_left_to_the_registration(void **state)
{
	(void)state;
	unsigned char *memory = touching_cold(TOUCHING_ROOM);
	test_ok(munmap(memory + 61 * MIB, page_size()));
	test_ok(touching_do(memory, TOUCHING_ROOM, NULL));
	touching_no_thread_left();
}

static void hole__all_of_it(void **state)
{
	(void)state;
	unsigned char *memory = touching_cold(TOUCHING_ROOM);
	test_ok(munmap(memory, TOUCHING_ROOM));
	test_ok(touching_do(memory, TOUCHING_ROOM, NULL));
	touching_no_thread_left();
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test_setup(cold__is_touched, touching_set_up),
	cmocka_unit_test_setup(cold__data_in_it_stays, touching_set_up),
	cmocka_unit_test_setup(cold__odd_start_and_length, touching_set_up),
	cmocka_unit_test_setup(cold__shared_memory, touching_set_up),
	cmocka_unit_test_setup(cold__read_only_shared_memory, touching_set_up),
	cmocka_unit_test_setup(cold__read_only_private_memory_is_left_alone, touching_set_up),
	cmocka_unit_test_setup(cold__small_is_not_even_looked_at, touching_set_up),
	cmocka_unit_test_setup(cold__behind_a_touched_beginning, touching_set_up),
	cmocka_unit_test_setup(touched__is_left_alone, touching_set_up),
	cmocka_unit_test_setup(touched__only_for_reading_is_cold, touching_set_up),
	cmocka_unit_test_setup(touched__by_another_mapping, touching_set_up),
	cmocka_unit_test_setup(resident__of_each_kind, touching_set_up),
	cmocka_unit_test_setup(huge__pages_are_given, touching_set_up),
	cmocka_unit_test_setup(huge__nobody_asks_for_touched_memory, touching_set_up),
	cmocka_unit_test_setup(hole__is_left_to_the_registration, touching_set_up),
	cmocka_unit_test_setup(hole__all_of_it, touching_set_up),
};

TEST_MAIN(cases)
