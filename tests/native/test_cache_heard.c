/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_heard.c -- of which memory a cache keeps registrations.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <unistd.h>

#include "cache/heard.h"
#include "support/host.h"
#include "support/huge.h"
#include "support/test.h"
#include "sys/maps_text.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

#define PAGE ((size_t)4096)
#define RW (PROT_READ | PROT_WRITE)

static char variable[2 * PAGE] = { 1 };

static bool heard(const void *addr, size_t length, bool keep_files)
{
	return pinreg_heard_of(&pinreg_sys_real, (uintptr_t)addr, length, keep_files).keep;
}

static void always(const void *addr, size_t length)
{
	assert_true(heard(addr, length, false));
	assert_true(heard(addr, length, true));
}

static void with_keep_files(const void *addr, size_t length)
{
	assert_false(heard(addr, length, false));
	assert_true(heard(addr, length, true));
}

static void never(const void *addr, size_t length)
{
	assert_false(heard(addr, length, false));
	assert_false(heard(addr, length, true));
}

static char *map(int flags, int fd)
{
	char *memory = mmap(NULL, 4 * PAGE, RW, flags, fd, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

static int memfd(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC);
	test_ok(fd);
	test_ok(ftruncate(fd, (off_t)(4 * PAGE)));
	return fd;
}

static void private__anonymous(void **state)
{
	(void)state;
	char *memory = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	always(memory, 4 * PAGE);
	always(memory + 17, 1);
	test_ok(mprotect(memory + PAGE, PAGE, PROT_READ)); /* three mappings */
	always(memory, 4 * PAGE);
	always(&state, sizeof(state));
	char *heap = malloc(100);
	always(heap, 100);
	free(heap);
	int zero = open("/dev/zero", O_RDWR | O_CLOEXEC);
	test_ok(zero);
	always(map(MAP_PRIVATE, zero), 4 * PAGE);
}

static void private__variables(void **state)
{
	(void)state;
	variable[PAGE] = 1;
	always(variable, sizeof(variable));
}

static void hole__in_it(void **state)
{
	(void)state;
	always(variable, 1); /* the first look maps something: not there */
	char *memory = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	test_ok(munmap(memory + PAGE, PAGE));
	never(memory, 4 * PAGE);
	never(memory + PAGE, 1);
	always(memory, PAGE);
}

static void shared__without_a_handle(void **state)
{
	(void)state;
	char *memory = map(MAP_SHARED | MAP_ANONYMOUS, -1);
	with_keep_files(memory, 4 * PAGE);
	/* where the kernel has names for it, a name makes no difference */
	prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, memory, PAGE, "named");
	with_keep_files(memory, 4 * PAGE);
}

/* Names are given by whoever makes the memory: none makes it what it is not. */
static void shared__with_a_descriptor(void **state)
{
	(void)state;
	const char *const names[] = { "heard", "/dev/zero", "/dev/zero (deleted)", "SYSV00000000",
				      "[anon_shmem:x]" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		with_keep_files(map(MAP_SHARED, memfd(names[i])), 4 * PAGE);
}

static void shared__with_a_name(void **state)
{
	(void)state;
	int fd = shm_open("/pinreg-test-heard", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	test_ok(fd);
	test_ok(ftruncate(fd, (off_t)(4 * PAGE)));
	char *memory = map(MAP_SHARED, fd);
	with_keep_files(memory, 4 * PAGE);
	test_ok(shm_unlink("/pinreg-test-heard"));
	with_keep_files(memory, 4 * PAGE);
}

static void file__any(void **state)
{
	(void)state;
	int fd = open(host_file(host_path(host_directory(), "a"), 4), O_RDWR | O_CLOEXEC);
	test_ok(fd);
	with_keep_files(map(MAP_SHARED, fd), 4 * PAGE);
	with_keep_files(map(MAP_PRIVATE, fd), 4 * PAGE);
}

static void system_v__segment(void **state)
{
	(void)state;
	int id = shmget(IPC_PRIVATE, 4 * PAGE, 0600);
	test_ok(id);
	char *memory = shmat(id, NULL, 0);
	test_ok(shmctl(id, IPC_RMID, NULL));
	assert_ptr_not_equal(memory, MAP_FAILED);
	never(memory, 4 * PAGE);
}

static void special__vdso(void **state)
{
	(void)state;
	const void *vdso = (const void *)getauxval(AT_SYSINFO_EHDR);
	if (!vdso)
		test_skip("the kernel maps no vdso");
	never(vdso, 1);
}

/* The worst part counts. */
static void range__over_kinds(void **state)
{
	(void)state;
	char *memory = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	assert_ptr_equal(mmap(memory + PAGE, PAGE, RW, MAP_SHARED | MAP_FIXED, memfd("heard"), 0),
			 memory + PAGE);
	with_keep_files(memory, 4 * PAGE);
	always(memory, PAGE);
	always(memory + 2 * PAGE, 2 * PAGE);
}

static void text__of_the_map(void **state)
{
	(void)state;
	pinreg_maps_force_text(true);
	private__anonymous(state);
	shared__without_a_handle(state);
	shared__with_a_descriptor(state);
	system_v__segment(state);
}

static int no_maps(struct pinreg_maps *maps)
{
	(void)maps;
	return -EMFILE;
}

static void map__cannot_be_looked_at(void **state)
{
	(void)state;
	struct pinreg_sys table = pinreg_sys_real;
	table.maps_begin = no_maps;
	assert_false(pinreg_heard_of(&table, (uintptr_t)variable, 1, true).keep);
}

static void hugetlb__without_a_file(void **state)
{
	(void)state;
	always(huge_pages(1, MAP_PRIVATE), HUGE_PAGE);
	with_keep_files(huge_pages(1, MAP_SHARED), HUGE_PAGE);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(private__anonymous),
	cmocka_unit_test(private__variables),
	cmocka_unit_test(hole__in_it),
	cmocka_unit_test(shared__without_a_handle),
	cmocka_unit_test(shared__with_a_descriptor),
	cmocka_unit_test(shared__with_a_name),
	cmocka_unit_test(file__any),
	cmocka_unit_test(system_v__segment),
	cmocka_unit_test(special__vdso),
	cmocka_unit_test(range__over_kinds),
	cmocka_unit_test(text__of_the_map),
	cmocka_unit_test(map__cannot_be_looked_at),
	cmocka_unit_test(hugetlb__without_a_file),
};

TEST_MAIN(cases)
