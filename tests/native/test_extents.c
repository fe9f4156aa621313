/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_extents.c -- walking over a block map, whatever FIEMAP replies, and what
 * verifying makes of it.
 */
#include <errno.h>
#include <linux/fiemap.h>
#include <stdlib.h>
#include <string.h>

#include "file/extents.h"
#include "file/verify.h"
#include "support/test.h"

#define MIB ((uint64_t)1 << 20)
#define EXTENTS_MAX 100001u

/* The file that the fake FIEMAP tells of, and how it tells. */
static struct fiemap_extent known[EXTENTS_MAX];
static unsigned int known_count;
static unsigned int reply_max; /* extents a reply, 0: as many as asked for */
static unsigned int calls;
static int reply_status;

static void add(uint64_t offset, uint64_t length, uint64_t physical, uint32_t flags)
{
	assert_true(known_count < EXTENTS_MAX);
	known[known_count++] = (struct fiemap_extent){
		.fe_logical = offset,
		.fe_length = length,
		.fe_physical = physical,
		.fe_flags = flags,
	};
}

/* All that end behind fm_start, whole: what filesystems may do. */
static int fake_extents(int fd, struct fiemap *map)
{
	(void)fd;
	calls++;
	assert_true(calls < 10 * EXTENTS_MAX);
	if (reply_status)
		return reply_status;
	unsigned int room = map->fm_extent_count, got = 0;
	if (reply_max && reply_max < room)
		room = reply_max;
	for (unsigned int i = 0; i < known_count && got < room; i++) {
		if (known[i].fe_logical + known[i].fe_length <= map->fm_start)
			continue;
		map->fm_extents[got] = known[i];
		if (i + 1 == known_count)
			map->fm_extents[got].fe_flags |= FIEMAP_EXTENT_LAST;
		got++;
	}
	map->fm_mapped_extents = got;
	return 0;
}

static const struct pinreg_sys table = { .file_extents = fake_extents };

static int start(void **state)
{
	(void)state;
	known_count = 0;
	reply_max = 0;
	reply_status = 0;
	calls = 0;
	return 0;
}

/* What was told of flaws. */
static struct pinreg_flaw flaws[16];
static unsigned int flaw_count;
static int flaw_status;

static int note_flaw(void *context, const struct pinreg_flaw *flaw)
{
	(void)context;
	assert_true(flaw_count < 16);
	flaws[flaw_count++] = *flaw;
	return flaw_status;
}

static int verify_as(bool dax, uint64_t length, struct pinreg_file_report *out)
{
	struct pinreg_verify verify = {
		.sys = &table,
		.length = length,
		.dax = dax,
		.flaw = note_flaw,
	};
	*out = (struct pinreg_file_report){ .size = sizeof(*out) };
	flaw_count = 0;
	return pinreg_verify_blocks(&verify, out);
}

static struct pinreg_file_report report_of(uint64_t length)
{
	struct pinreg_file_report report;
	flaw_status = 0;
	test_ok(verify_as(true, length, &report));
	assert_int_equal(report.flaws, flaw_count);
	return report;
}

static void verify__good(void **state)
{
	(void)state;
	add(0, 64 * MIB, 4 * MIB, 0);
	struct pinreg_file_report report = report_of(64 * MIB);
	assert_int_equal(report.flaws, 0);
	assert_int_equal(report.extents, 1);
	assert_int_equal(report.holes + report.unwritten + report.shared + report.other, 0);
	assert_int_not_equal(report.block_map, 0);
}

static void verify__empty_reply(void **state)
{
	(void)state;
	struct pinreg_file_report report = report_of(MIB);
	assert_int_equal(report.flaws, 1);
	assert_int_equal(report.holes, MIB);
	assert_int_equal(report.extents, 0);
	assert_int_equal(flaws[0].length, MIB);
	assert_int_equal(flaws[0].flags, 0);
	assert_int_equal(calls, 1);
}

static void verify__each_kind_of_flaw(void **state)
{
	(void)state;
	static const uint32_t flags[] = {
		FIEMAP_EXTENT_UNWRITTEN,
		FIEMAP_EXTENT_SHARED,
		FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC,
		FIEMAP_EXTENT_ENCODED,
		FIEMAP_EXTENT_DATA_ENCRYPTED,
		FIEMAP_EXTENT_NOT_ALIGNED,
		FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_NOT_ALIGNED,
		FIEMAP_EXTENT_DATA_TAIL | FIEMAP_EXTENT_NOT_ALIGNED,
	};
	const unsigned int kinds = sizeof(flags) / sizeof(flags[0]);
	struct pinreg_file_report report;
	for (unsigned int i = 0; i < kinds; i++)
		add(i * 8192, 4096, MIB + i * 8192, flags[i]);
	report = report_of(kinds * 8192);
	assert_int_equal(report.flaws, 2 * kinds);
	assert_int_equal(report.holes, kinds * 4096);
	assert_int_equal(report.unwritten, 4096);
	assert_int_equal(report.shared, 4096);
	assert_int_equal(report.other, (kinds - 2) * 4096);
	for (unsigned int i = 0; i < kinds; i++) {
		assert_int_equal(flaws[2 * i].offset, i * 8192);
		assert_int_equal(flaws[2 * i].flags, flags[i]);
		assert_int_equal(flaws[2 * i + 1].offset, i * 8192 + 4096);
		assert_int_equal(flaws[2 * i + 1].flags, 0);
	}
	/* page cache hides what blocks look like, but they must be there */
	test_ok(verify_as(false, kinds * 8192, &report));
	assert_int_equal(report.flaws, kinds + 2);
	assert_int_equal(report.shared, 4096);
}

static void verify__first_flaw_can_end_it(void **state)
{
	(void)state;
	struct pinreg_file_report report;
	add(4096, 4096, MIB, 0);
	add(12288, 4096, 2 * MIB, 0);
	flaw_status = 42;
	assert_int_equal(verify_as(true, 16384, &report), 42);
	assert_int_equal(flaw_count, 1);
	assert_int_equal(flaws[0].offset, 0);
}

static void verify__neighbours_are_one(void **state)
{
	(void)state;
	/* as ext4 cuts what is longer than it can say in one */
	for (unsigned int i = 0; i < 8; i++)
		add(i * 128 * MIB, 128 * MIB, (i + 1) * 128 * MIB, 0);
	add(8 * 128 * MIB, MIB, 9 * 128 * MIB, FIEMAP_EXTENT_UNWRITTEN);
	add(8 * 128 * MIB + MIB, MIB, 9 * 128 * MIB + MIB, FIEMAP_EXTENT_UNWRITTEN);
	add(8 * 128 * MIB + 2 * MIB, MIB, MIB, 0);
	struct pinreg_file_report report = report_of(8 * 128 * MIB + 3 * MIB);
	assert_int_equal(report.extents, 3);
	assert_int_equal(report.flaws, 1);
	assert_int_equal(flaws[0].length, 2 * MIB);
	uint64_t hash = report.block_map;
	/* and however the replies were cut, it is the same map */
	for (reply_max = 1; reply_max < 5; reply_max++)
		assert_int_equal(report_of(8 * 128 * MIB + 3 * MIB).block_map, hash);
	known[0].fe_flags |= FIEMAP_EXTENT_MERGED;
	assert_int_equal(report_of(8 * 128 * MIB + 3 * MIB).block_map, hash);
}

static void verify__short_replies(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 1000; i++)
		add(i * 4096, 4096, MIB + i * 8192, 0);
	struct pinreg_file_report whole = report_of(1000 * 4096);
	reply_max = 1;
	calls = 0;
	struct pinreg_file_report report = report_of(1000 * 4096);
	assert_int_equal(report.extents, 1000);
	assert_int_equal(report.flaws, 0);
	assert_int_equal(report.block_map, whole.block_map);
	assert_int_equal(calls, 1000);
}

static void verify__ends_before_the_file(void **state)
{
	(void)state;
	add(0, MIB, MIB, 0);
	struct pinreg_file_report report = report_of(MIB + 4096);
	assert_int_equal(report.flaws, 1);
	assert_int_equal(flaws[0].offset, MIB);
	assert_int_equal(flaws[0].length, 4096);
	/* blocks behind the end are not looked at */
	report = report_of(MIB - 100);
	assert_int_equal(report.flaws, 0);
	assert_int_equal(report.extents, 1);
}

static void verify__overlapping(void **state)
{
	(void)state;
	add(0, 3 * MIB, 10 * MIB, 0);
	add(MIB, 4 * MIB, 11 * MIB, 0); /* the same blocks, said twice */
	struct pinreg_file_report report = report_of(5 * MIB);
	assert_int_equal(report.extents, 1);
	assert_int_equal(report.flaws, 0);
	uint64_t hash = report.block_map;
	known_count = 0;
	add(0, 5 * MIB, 10 * MIB, 0);
	assert_int_equal(report_of(5 * MIB).block_map, hash);
	/* a file that says two things of the same part is believed once, and moves on */
	known_count = 0;
	add(0, 3 * MIB, 10 * MIB, 0);
	add(0, 3 * MIB, 20 * MIB, FIEMAP_EXTENT_UNWRITTEN);
	add(3 * MIB, MIB, 13 * MIB, 0);
	report = report_of(4 * MIB);
	assert_int_equal(report.extents, 1);
}

static int loop_extents(int fd, struct fiemap *map)
{
	(void)fd;
	calls++;
	assert_true(calls < 1000);
	/* always the beginning, never the last */
	map->fm_extents[0] = (struct fiemap_extent){ .fe_physical = MIB, .fe_length = 4096 };
	map->fm_mapped_extents = 1;
	return 0;
}

static int wrap_extents(int fd, struct fiemap *map)
{
	(void)fd;
	calls++;
	assert_true(calls < 1000);
	map->fm_extents[0] = (struct fiemap_extent){
		.fe_logical = 4096,
		.fe_physical = MIB,
		.fe_length = UINT64_MAX - 100,
	};
	map->fm_extents[1] = (struct fiemap_extent){ .fe_logical = 8192, .fe_physical = MIB };
	map->fm_mapped_extents = UINT32_MAX; /* more than there is room for */
	for (unsigned int i = 2; i < map->fm_extent_count; i++)
		map->fm_extents[i] = map->fm_extents[1];
	return 0;
}

static void verify__replies_that_lead_nowhere(void **state)
{
	(void)state;
	int (*const replies[])(int fd, struct fiemap *map) = { loop_extents, wrap_extents };
	for (unsigned int i = 0; i < 2; i++) {
		struct pinreg_sys nonsense = { .file_extents = replies[i] };
		struct pinreg_verify verify = { .sys = &nonsense, .length = MIB, .dax = true };
		struct pinreg_file_report report = { .size = sizeof(report) };
		test_ok(pinreg_verify_blocks(&verify, &report));
		/* what it does not tell of counts as a hole */
		assert_int_equal(report.flaws, 1);
		assert_true(report.holes >= MIB - 4096);
		assert_true(calls < 5);
		calls = 0;
	}
}

static void verify__call_fails(void **state)
{
	(void)state;
	struct pinreg_file_report report;
	reply_status = -EOPNOTSUPP;
	assert_int_equal(verify_as(true, MIB, &report), -EOPNOTSUPP);
	assert_int_equal(flaw_count, 0);
}

static void verify__hundred_thousand_extents(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 100000; i++)
		add(i * (uint64_t)8192, 4096, MIB + (uint64_t)(100000 - i) * 8192,
		    i % 2 ? FIEMAP_EXTENT_UNWRITTEN : 0);
	struct pinreg_verify verify = {
		.sys = &table,
		.length = 100000 * (uint64_t)8192,
		.dax = true,
	};
	struct pinreg_file_report report = { .size = sizeof(report) };
	test_ok(pinreg_verify_blocks(&verify, &report));
	assert_int_equal(report.extents, 100000);
	assert_int_equal(report.flaws, 150000);
	assert_int_equal(report.holes, 100000 * (uint64_t)4096);
	assert_int_equal(report.unwritten, 50000 * (uint64_t)4096);
	uint64_t hash = report.block_map;
	known[99999].fe_physical += 4096;
	test_ok(pinreg_verify_blocks(&verify, &report));
	assert_int_not_equal(report.block_map, hash);
}

static void block_map__tells_each_change(void **state)
{
	(void)state;
	add(0, 2 * MIB, 10 * MIB, 0);
	add(2 * MIB, 2 * MIB, 20 * MIB, 0);
	const struct fiemap_extent before[2] = { known[0], known[1] };
	uint64_t hash = report_of(4 * MIB).block_map;
	for (unsigned int i = 0; i < 6; i++) {
		memcpy(known, before, sizeof(before));
		known[0].fe_physical += i == 0 ? 4096 : 0;
		known[1].fe_physical += i == 1 ? 4096 : 0;
		known[0].fe_length -= i == 2 ? 4096 : 0;
		known[1].fe_length -= i == 3 ? 4096 : 0;
		known[0].fe_flags |= i == 4 ? FIEMAP_EXTENT_UNWRITTEN : 0;
		known[1].fe_flags |= i == 5 ? FIEMAP_EXTENT_SHARED : 0;
		assert_int_not_equal(report_of(4 * MIB).block_map, hash);
	}
	memcpy(known, before, sizeof(before));
	known[0].fe_physical = before[1].fe_physical; /* exchanged */
	known[1].fe_physical = before[0].fe_physical;
	assert_int_not_equal(report_of(4 * MIB).block_map, hash);
	memcpy(known, before, sizeof(before));
	assert_int_equal(report_of(4 * MIB).block_map, hash);
	assert_int_not_equal(report_of(4 * MIB - 4096).block_map, hash);
}

static void huge__aligned_here_and_there(void **state)
{
	(void)state;
	struct pinreg_file_report report;
	add(0, 7 * MIB, 16 * MIB, 0);
	assert_int_equal(report_of(7 * MIB).huge, 6 * MIB);
	known[0].fe_physical = 17 * MIB; /* nowhere at the same place in a huge page */
	assert_int_equal(report_of(7 * MIB).huge, 0);
	known_count = 0;
	add(0, MIB, 31 * MIB, 0);
	add(MIB, 6 * MIB, 41 * MIB, 0);
	assert_int_equal(report_of(7 * MIB).huge, 4 * MIB);
	/* page cache is not mapped from the device */
	test_ok(verify_as(false, 7 * MIB, &report));
	assert_int_equal(report.huge, 0);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test_setup(verify__good, start),
	cmocka_unit_test_setup(verify__empty_reply, start),
	cmocka_unit_test_setup(verify__each_kind_of_flaw, start),
	cmocka_unit_test_setup(verify__first_flaw_can_end_it, start),
	cmocka_unit_test_setup(verify__neighbours_are_one, start),
	cmocka_unit_test_setup(verify__short_replies, start),
	cmocka_unit_test_setup(verify__ends_before_the_file, start),
	cmocka_unit_test_setup(verify__overlapping, start),
	cmocka_unit_test_setup(verify__replies_that_lead_nowhere, start),
	cmocka_unit_test_setup(verify__call_fails, start),
	cmocka_unit_test_setup(verify__hundred_thousand_extents, start),
	cmocka_unit_test_setup(block_map__tells_each_change, start),
	cmocka_unit_test_setup(huge__aligned_here_and_there, start),
};

TEST_MAIN(cases)
