/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * runs.c -- memory to look at, and what is expected of the runs it has.
 */
#include "support/runs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/test.h"
#include "sys/maps_text.h"

static struct pinreg_run run_at(const struct pinreg_backing *backing, size_t index)
{
	struct pinreg_run run = { .size = sizeof(run) };
	assert_int_equal(pinreg_backing_get(backing, index, &run), 0);
	return run;
}

/* The ioctl's answer; the text's must be the same in every field. */
static struct pinreg_backing *look_both_ways(const void *addr, size_t length)
{
	struct pinreg_backing *backing = NULL;
	struct pinreg_backing *text = NULL;
	test_ok(pinreg_backing_query(addr, length, &backing));
	pinreg_maps_force_text(true);
	test_ok(pinreg_backing_query(addr, length, &text));
	pinreg_maps_force_text(false);

	assert_int_equal(pinreg_backing_count(backing), pinreg_backing_count(text));
	for (size_t i = 0; i < pinreg_backing_count(backing); i++) {
		struct pinreg_run one = run_at(backing, i);
		struct pinreg_run other = run_at(text, i);
		assert_memory_equal(&one, &other, sizeof(one));
	}
	pinreg_backing_free(text);
	return backing;
}

static void check_run(const struct pinreg_run *run, uint64_t addr,
		      const struct expected_run *expected)
{
	assert_int_equal(run->addr, addr);
	assert_int_equal(run->length, expected->length);
	assert_string_equal(pinreg_kind_name(run->kind), pinreg_kind_name(expected->kind));
	assert_int_equal(run->prot, expected->prot);
	/* whether the size is known is a question of rights */
	assert_int_equal(run->flags & ~PINREG_RUN_NO_SIZE, expected->flags);
	if (expected->kind == PINREG_KIND_HOLE)
		assert_int_equal(run->page_size, 0);
	else
		assert_true(run->page_size >= page_size());
}

void expect_runs(const void *addr, size_t length, const struct expected_run *runs, size_t count)
{
	struct pinreg_backing *backing = look_both_ways(addr, length);
	assert_int_equal(pinreg_backing_count(backing), count);
	uint64_t at = (uintptr_t)addr;
	for (size_t i = 0; i < count; i++) {
		struct pinreg_run run = run_at(backing, i);
		check_run(&run, at, &runs[i]);
		at += run.length;
	}
	assert_int_equal(at, (uintptr_t)addr + length);
	pinreg_backing_free(backing);
}

struct pinreg_run expect_one(const void *addr, size_t length, enum pinreg_kind kind,
			     unsigned int prot, unsigned int flags)
{
	const struct expected_run expected = { length, kind, prot, flags };
	struct pinreg_backing *backing = look_both_ways(addr, length);
	assert_int_equal(pinreg_backing_count(backing), 1);
	struct pinreg_run run = run_at(backing, 0);
	check_run(&run, (uintptr_t)addr, &expected);
	pinreg_backing_free(backing);
	return run;
}

int kind_at(const void *addr)
{
	struct pinreg_backing *backing;
	int error = pinreg_backing_query(addr, 1, &backing);
	if (error)
		return error;
	struct pinreg_run run = { .size = sizeof(run) };
	error = pinreg_backing_get(backing, 0, &run);
	pinreg_backing_free(backing);
	return error ? error : (int)run.kind;
}

void in_child(int (*body)(void *argument), void *argument)
{
	fflush(NULL);
	pid_t child = fork();
	test_ok(child);
	if (child == 0)
		_exit(body(argument) ? 1 : 0);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

size_t free_huge_pages(void)
{
	size_t count = 0;
	FILE *file = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "re");
	if (!file)
		return 0;
	if (fscanf(file, "%zu", &count) != 1)
		count = 0;
	fclose(file);
	return count;
}

void *map_or_fail(size_t length, int prot, int flags, int fd)
{
	void *memory = mmap(NULL, length, prot, flags, fd, 0);
	if (memory == MAP_FAILED)
		test_ok(-errno);
	return memory;
}

int file_in(const char *folder, const char *name, size_t length, char *path, size_t room)
{
	int written = snprintf(path, room, "%s/%s", folder, name);
	assert_true(written > 0 && (size_t)written < room);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	test_ok(fd);
	test_ok(ftruncate(fd, (off_t)length));
	return fd;
}
