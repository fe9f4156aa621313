/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_oracle.c -- memory of no file: what the plan says of it, and what the
 * kernel does.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/oracle.h"
#include "support/rdma.h"
#include "support/runs.h"
#include "support/test.h"

#ifndef MAP_HUGE_1GB
#define MAP_HUGE_1GB (30 << 26)
#endif

#define RW (PROT_READ | PROT_WRITE)
#define ROWS(rows) rows, sizeof(rows) / sizeof((rows)[0])
#define ANON PINREG_KIND_ANON
#define SHMEM PINREG_KIND_SHMEM
#define HUGE PINREG_KIND_HUGETLB

static const struct oracle_exception exceptions[] = {
	{ "PROT_WRITE", ORACLE_BOTH, NULL, "on x86 it can be read; we ask for the right to" },
	{ "PROT_NONE", ORACLE_RO, " 6.1 ",
	  "a pin for reading forces its way there; we ask for the right to read" },
	{ "huge, PROT_READ", ORACLE_RO, " 6.1 ",
	  "it forces a write even for a pin that only reads, and huge pages allow none" },
};

static void oracle__anonymous(void **state)
{
	(void)state;
	static const struct memory_row rows[] = {
		{ "touched", memory_anonymous, NULL, RW, MAP_PRIVATE, MEMORY_TOUCHED, ANON },
		{ "untouched", memory_anonymous, NULL, RW, MAP_PRIVATE, 0, ANON },
		{ "not reserved", memory_anonymous, NULL, RW, MAP_PRIVATE | MAP_NORESERVE, 0,
		  ANON },
		{ "locked", memory_anonymous, NULL, RW, MAP_PRIVATE | MAP_LOCKED, 0, ANON },
		{ "PROT_READ", memory_anonymous, NULL, PROT_READ, MAP_PRIVATE, 0, ANON },
		{ "PROT_READ, touched", memory_anonymous, NULL, PROT_READ, MAP_PRIVATE,
		  MEMORY_TOUCHED, ANON },
		{ "PROT_WRITE", memory_anonymous, NULL, PROT_WRITE, MAP_PRIVATE, 0, ANON },
		{ "PROT_NONE", memory_anonymous, NULL, PROT_NONE, MAP_PRIVATE, 0, ANON },
		{ "heap", memory_named, "[heap]", RW, 0, 0, ANON },
		{ "stack", memory_named, "[stack]", RW, 0, 0, ANON },
		{ "/dev/zero, private", memory_device, "/dev/zero", RW, MAP_PRIVATE, 0, ANON },
	};
	oracle_rows(ROWS(rows), ROWS(exceptions));
	oracle_end();
}

static void oracle__rights_that_change_inside(void **state)
{
	(void)state;
	static const struct memory_row row = { "half of it PROT_READ",
					       memory_anonymous,
					       NULL,
					       RW,
					       MAP_PRIVATE,
					       MEMORY_TOUCHED,
					       ANON };
	struct memory memory;
	assert_true(memory_open(&row, &memory));
	test_ok(mprotect(memory.addr + MEMORY_LENGTH / 2, MEMORY_LENGTH / 2, PROT_READ));
	oracle_memory(row.name, &memory, NULL, 0);
	memory_close(&memory);
	oracle_end();
}

static void oracle__transparent_huge_pages(void **state)
{
	(void)state;
	static const struct memory_row rows[] = {
		{ "touched", memory_thp, NULL, RW, 0, MEMORY_TOUCHED, ANON },
		{ "untouched", memory_thp, NULL, RW, 0, 0, ANON },
		{ "PROT_READ", memory_thp, NULL, PROT_READ, 0, 0, ANON },
	};
	oracle_rows(ROWS(rows), NULL, 0);

	struct memory memory;
	assert_true(memory_open(&rows[0], &memory));
	memory.addr += 12345;
	memory.length = MEMORY_HUGE;
	oracle_memory("between two huge pages", &memory, NULL, 0);
	/* part of it is given back: no huge page any more */
	test_ok(madvise(memory.mapped, MEMORY_HUGE + (64 << 10), MADV_DONTNEED));
	oracle_memory("broken up", &memory, NULL, 0);
	memory_close(&memory);
	oracle_end();
}

static void oracle__huge_pages(void **state)
{
	(void)state;
	static const struct memory_row rows[] = {
		{ "private", memory_anonymous, NULL, RW, MAP_PRIVATE | MAP_HUGETLB, 0, HUGE },
		{ "shared", memory_anonymous, NULL, RW, MAP_SHARED | MAP_HUGETLB, MEMORY_TOUCHED,
		  HUGE },
		{ "huge, PROT_READ", memory_anonymous, NULL, PROT_READ, MAP_PRIVATE | MAP_HUGETLB,
		  0, HUGE },
		{ "memfd", memory_huge_memfd, NULL, RW, MAP_SHARED, 0, HUGE },
		{ "memfd, past its end", memory_huge_memfd, NULL, RW, MAP_SHARED, MEMORY_SHORT,
		  HUGE },
		{ "memfd, truncated", memory_huge_memfd, NULL, RW, MAP_SHARED,
		  MEMORY_CUT | MEMORY_TOUCHED, HUGE },
		{ "memfd, private", memory_huge_memfd, NULL, RW, MAP_PRIVATE, 0,
		  PINREG_KIND_PRIVATE_FILE },
	};
	if (free_huge_pages() < 4)
		test_skip("there are no four free huge pages of 2 MiB");
	oracle_rows(ROWS(rows), ROWS(exceptions));
	oracle_end();
}

/* So that there is one: the guest reserves none. Gives false where there is no room. */
static bool reserve_gigantic(int count)
{
	char path[] = "/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages";
	int there = 0;
	FILE *file = fopen(path, "r+e");
	if (!file)
		return false;
	fprintf(file, "%d", count);
	fclose(file);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%d", &there), 1);
	fclose(file);
	return there >= count;
}

static void check_gigantic_page(void)
{
	const size_t gigantic = (size_t)1 << 30;
	if (!reserve_gigantic(1)) {
		printf("not here: 1 GiB: no page of that size can be had\n");
		return;
	}
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_1GB;
	struct memory memory = {
		.mapped = map_or_fail(gigantic, RW, flags, -1),
		.mapped_length = gigantic,
		.length = (3 << 20) + 77,
	};
	memory.addr = memory.mapped;
	struct pinreg_run run =
		expect_one(memory.addr, memory.length, PINREG_KIND_HUGETLB, READ_WRITE, 0);
	assert_int_equal(run.page_size, gigantic);
	oracle_memory("a part of 1 GiB", &memory, NULL, 0);
	memory_close(&memory);
	reserve_gigantic(0);
}

/* What ends inside of a huge page pins all of it: the plan warns. */
static void oracle__end_inside_a_huge_page(void **state)
{
	(void)state;
	static const struct memory_row row = {
		"a part of one", memory_anonymous, NULL, RW, MAP_PRIVATE | MAP_HUGETLB, 0, HUGE
	};
	struct pinreg_plan plan = { .size = sizeof(plan) };
	struct memory memory;
	if (!memory_open(&row, &memory))
		test_skip("%s", memory.missing);
	memory.length = 3 * 4096 + 5;
	oracle_memory(row.name, &memory, NULL, 0);
	test_ok(pinreg_plan(rdma_domain(NULL), memory.addr, memory.length, NULL, &plan));
	assert_int_equal(plan.warnings, PINREG_WARN_HUGE_END);
	test_ok(pinreg_plan(rdma_domain(NULL), memory.addr, MEMORY_HUGE, NULL, &plan));
	assert_int_equal(plan.warnings, 0);
	memory_close(&memory);
	check_gigantic_page();
	oracle_end();
}

static void oracle__shared_memory(void **state)
{
	(void)state;
	static const struct memory_row rows[] = {
		{ "anonymous", memory_anonymous, NULL, RW, MAP_SHARED, 0, SHMEM },
		{ "anonymous, PROT_READ", memory_anonymous, NULL, PROT_READ, MAP_SHARED, 0, SHMEM },
		{ "/dev/zero, shared", memory_device, "/dev/zero", RW, MAP_SHARED, 0, SHMEM },
		{ "memfd", memory_memfd, NULL, RW, MAP_SHARED, 0, SHMEM },
		{ "memfd, touched", memory_memfd, NULL, RW, MAP_SHARED, MEMORY_TOUCHED, SHMEM },
		{ "memfd, PROT_READ", memory_memfd, NULL, PROT_READ, MAP_SHARED, 0, SHMEM },
		{ "memfd, odd end", memory_memfd, NULL, RW, MAP_SHARED, MEMORY_ODD_END, SHMEM },
		{ "memfd, past its end", memory_memfd, NULL, RW, MAP_SHARED, MEMORY_SHORT, SHMEM },
		{ "memfd, truncated", memory_memfd, NULL, RW, MAP_SHARED,
		  MEMORY_TOUCHED | MEMORY_CUT, SHMEM },
		{ "memfd, emptied", memory_memfd, NULL, RW, MAP_SHARED,
		  MEMORY_TOUCHED | MEMORY_EMPTIED, SHMEM },
		{ "memfd, private", memory_memfd, NULL, RW, MAP_PRIVATE, 0,
		  PINREG_KIND_PRIVATE_FILE },
		{ "System V", memory_system_v, NULL, RW, 0, 0, SHMEM },
		{ "System V, SHM_RDONLY", memory_system_v, NULL, PROT_READ, 0, 0, SHMEM },
		{ "tmpfs", memory_file, "/dev/shm", RW, MAP_SHARED, 0, SHMEM },
		{ "tmpfs, PROT_READ", memory_file, "/dev/shm", PROT_READ, MAP_SHARED, 0, SHMEM },
		{ "tmpfs, past its end", memory_file, "/dev/shm", RW, MAP_SHARED, MEMORY_SHORT,
		  SHMEM },
		{ "tmpfs, emptied", memory_file, "/dev/shm", RW, MAP_SHARED, MEMORY_EMPTIED,
		  SHMEM },
		{ "tmpfs, deleted", memory_file, "/dev/shm", RW, MAP_SHARED, MEMORY_DELETED,
		  SHMEM },
	};
	oracle_rows(ROWS(rows), ROWS(exceptions));
	oracle_end();
}

static void oracle__holes(void **state)
{
	(void)state;
	static const struct memory_row rows[] = {
		{ "a page is missing", memory_holed, NULL, RW, MAP_PRIVATE, 0, ANON },
		{ "nothing there", memory_unmapped, NULL, RW, MAP_PRIVATE, 0, PINREG_KIND_HOLE },
	};
	oracle_rows(ROWS(rows), NULL, 0);
	oracle_end();
}

/*
 * The map shows no guard page, so nobody knows of it before the kernel says no;
 * and that is told.
 */
static void oracle__guard_pages(void **state)
{
	(void)state;
	static const struct memory_row row = { "guard page", memory_guarded, NULL, RW,
					       MAP_PRIVATE,  MEMORY_TOUCHED, ANON };
	static const struct oracle_exception unseen[] = {
		{ "guard page", ORACLE_BOTH, NULL, "the map shows nothing of it" },
	};
	struct memory memory;
	if (!memory_open(&row, &memory))
		test_skip("%s", memory.missing);
	oracle_memory(row.name, &memory, ROWS(unseen));
	struct pinreg_region *region = NULL;
	struct pinreg_why why;
	assert_int_equal(pinreg_region_register(rdma_domain(NULL), memory.addr, memory.length, NULL,
						&why, &region),
			 -EFAULT);
	assert_int_equal(why.reason, PINREG_REASON_VERBS);
	printf("%s\n", rdma_sentence(&why));
	memory_close(&memory);
	oracle_end();
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(oracle__anonymous),
	cmocka_unit_test(oracle__rights_that_change_inside),
	cmocka_unit_test(oracle__transparent_huge_pages),
	cmocka_unit_test(oracle__huge_pages),
	cmocka_unit_test(oracle__end_inside_a_huge_page),
	cmocka_unit_test(oracle__shared_memory),
	cmocka_unit_test(oracle__holes),
	cmocka_unit_test(oracle__guard_pages),
};

TEST_MAIN(cases)
