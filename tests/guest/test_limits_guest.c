/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_limits_guest.c -- more than may be pinned or mapped, where a real kernel
 * says so.
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "support/memlock.h"
#include "support/rdma.h"
#include "support/runs.h"
#include "support/test.h"

#define RW (PROT_READ | PROT_WRITE)
#define LENGTH (1u << 20)

/* More than may be pinned: ODP where it is right for what is wanted, else no. */
static void check_limit(enum pinreg_granularity granularity, enum pinreg_reason reason)
{
	struct pinreg_region_opts opts = { .size = sizeof(opts), .granularity = granularity };
	struct pinreg_region_info info = { .size = sizeof(info) };
	enum pinreg_trust needed =
		granularity == PINREG_GRANULARITY_PAGE ? PINREG_TRUST_PAGE : PINREG_TRUST_FULL;
	struct pinreg_region *region = NULL;
	struct pinreg_why why;
	void *memory = map_or_fail(LENGTH, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	int status =
		pinreg_region_register(rdma_domain(NULL), memory, LENGTH, &opts, &why, &region);
	assert_int_equal(why.wanted, LENGTH);
	if (rdma_trust() < needed) {
		assert_int_equal(status, -ENOMEM);
		assert_int_equal(why.reason, reason);
	} else {
		test_ok(status);
		test_ok(pinreg_region_query(region, &info));
		assert_int_equal(info.method, PINREG_METHOD_ODP);
		assert_int_equal(why.reason, PINREG_REASON_ODP_LIMIT);
		test_ok(pinreg_region_deregister(region));
	}
}

static void limit__memlock(void **state)
{
	(void)state;
	/* before there is a limit: the tests pin memory too */
	rdma_trust();
	memlock_limit(192 << 10);
	check_limit(PINREG_GRANULARITY_BYTE, PINREG_REASON_MEMLOCK);
	check_limit(PINREG_GRANULARITY_PAGE, PINREG_REASON_MEMLOCK);
}

static void limit__budget(void **state)
{
	(void)state;
	struct pinreg_domain_opts opts = { .size = sizeof(opts), .pin_budget = 192 << 10 };
	rdma_domain(&opts);
	check_limit(PINREG_GRANULARITY_BYTE, PINREG_REASON_BUDGET);
	check_limit(PINREG_GRANULARITY_PAGE, PINREG_REASON_BUDGET);
}

static unsigned int max_map_count(unsigned int value)
{
	unsigned int before = 0;
	FILE *file = fopen("/proc/sys/vm/max_map_count", "r+e");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%u", &before), 1);
	rewind(file);
	fprintf(file, "%u", value);
	assert_int_equal(fclose(file), 0);
	return before;
}

/* A shadow has a mapping of its own; with as many as there may be it has none. */
static void limit__mappings(void **state)
{
	(void)state;
	struct pinreg_region_opts opts = { .size = sizeof(opts), .method = PINREG_METHOD_STAGED };
	struct pinreg_region *region = NULL;
	struct pinreg_why why;
	unsigned char *memory = map_or_fail(LENGTH, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	/* every other page with other rights: each is a mapping */
	unsigned char *many = map_or_fail(LENGTH, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	/* a heap that has room: what is short are mappings, and no memory */
	mallopt(M_MMAP_THRESHOLD, LENGTH * 2);
	mallopt(M_TRIM_THRESHOLD, LENGTH * 4);
	void *room = malloc(LENGTH);
	assert_non_null(room);
	free(room);
	/* the first look at the memory map needs a mapping too */
	struct pinreg_plan plan = { .size = sizeof(plan) };
	test_ok(pinreg_plan(rdma_domain(NULL), memory, LENGTH, &opts, &plan));
	unsigned int before = max_map_count(200);
	for (size_t at = 0; at < LENGTH; at += 8192)
		if (mprotect(many + at, 4096, PROT_READ))
			break;
	/* what is left, not next to another one like it */
	while (mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED &&
	       mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		;
	int status =
		pinreg_region_register(rdma_domain(NULL), memory, LENGTH, &opts, &why, &region);
	max_map_count(before);
	assert_int_equal(status, -ENOMEM);
	printf("%s\n", rdma_sentence(&why));
	assert_int_equal(why.reason, PINREG_REASON_MAP_COUNT);
	assert_int_equal(why.limit, 200);
	assert_true(why.used >= 200);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(limit__memlock),
	cmocka_unit_test(limit__budget),
	cmocka_unit_test(limit__mappings),
};

TEST_MAIN(cases)
