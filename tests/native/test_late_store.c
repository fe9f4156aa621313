/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_late_store.c -- the owner stores to a file's memory while somebody else
 * has the file: he lives, and the file is as the other left it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/hooks.h"
#include "support/test.h"

static struct pinreg_domain *domain;
static struct pinreg_file *file;
static struct pinreg_region *region;
static volatile unsigned char *memory;
static struct pinreg_event event;

static void start(void)
{
	struct pinreg_file_info info = { .size = sizeof(info) };
	domain = hooks_domain(1);
	hooks_files();
	file = hooks_open(domain, hooks_a);
	region = hooks_register(file);
	test_ok(pinreg_file_query(file, &info));
	memory = info.addr;
}

static void end(void)
{
	test_ok(pinreg_region_deregister(region));
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

/* Somebody does that to the file, as descriptor 9, and keeps it open. */
static int taken_by(const char *command)
{
	int other = host_stay("exec 9<>'%s'; %s", hooks_a, command);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	return other;
}

static void let_go(int other)
{
	assert_int_equal(host_let_go(other), 0);
}

static void store_everywhere(unsigned char value)
{
	for (unsigned int i = 0; i < HOOKS_LENGTH; i++)
		memory[i] = value;
	for (unsigned int i = 0; i < HOOKS_LENGTH; i++)
		assert_int_equal(memory[i], value);
}

static void check_memory(unsigned int from, unsigned int to)
{
	for (unsigned int i = from; i < to; i++)
		if (memory[i] != host_byte(i))
			fail_msg("byte %u is %d", i, memory[i]);
}

static void late_store__does_not_reach_the_file(void **state)
{
	(void)state;
	start();
	int other = taken_by("cp '/proc/self/fd/9' /dev/null");
	store_everywhere(0xee);
	let_go(other);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	assert_int_equal(event.zeroed, 0);
	check_memory(0, HOOKS_LENGTH);
	end();
}

static void late_store__in_a_file_cut_to_nothing(void **state)
{
	(void)state;
	struct stat look;
	start();
	int other = taken_by(": > '/proc/self/fd/9'");
	for (unsigned int tries = 0; tries < 1500; tries++) {
		test_ok(stat(hooks_a, &look));
		if (!look.st_size)
			break;
		hooks_nap(10);
	}
	assert_int_equal(look.st_size, 0);
	store_everywhere(0xee);
	let_go(other);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	assert_int_equal(event.zeroed, HOOKS_LENGTH);
	for (unsigned int i = 0; i < HOOKS_LENGTH; i++)
		assert_int_equal(memory[i], 0);
	/* and it is the file again */
	memory[5] = 7;
	test_ok(pinreg_region_commit(region, 0, 4096));
	end();
	assert_int_equal(host_run("test $(od -An -tu1 -j5 -N1 '%s') = 7", hooks_a), 0);
}

/* What it does races with the mapping on purpose, and is not to be reported. */
__attribute__((no_sanitize("thread"))) static void *store_all_the_time(void *until)
{
	while (!atomic_load((_Atomic(bool) *)until))
		for (unsigned int i = 0; i < HOOKS_LENGTH; i += 4096)
			memory[i + 100] = host_byte(i + 100); /* what is there */
	return NULL;
}

static void late_store__at_any_moment(void **state)
{
	(void)state;
	_Atomic(bool) done = false;
	pthread_t thread;
	start();
	pthread_create(&thread, NULL, store_all_the_time, &done);
	for (unsigned int round = 0; round < 20; round++) {
		assert_int_equal(host_run("exec 9<>'%s'", hooks_a), 0);
		host_expect(domain, PINREG_EVENT_BREAK, &event);
		host_expect(domain, PINREG_EVENT_FENCED, &event);
		host_expect(domain, PINREG_EVENT_RESTORED, &event);
	}
	atomic_store(&done, true);
	pthread_join(thread, NULL);
	check_memory(0, HOOKS_LENGTH);
	end();
}

static void late_store__after_the_file_was_lost(void **state)
{
	(void)state;
	start();
	int other = taken_by(":");
	test_ok(unlink(hooks_a));
	let_go(other);
	host_expect(domain, PINREG_EVENT_LOST, &event);
	assert_int_equal(event.why.reason, PINREG_REASON_FILE_REPLACED);
	store_everywhere(0xee);
	end();
}

/* ---- what is mapped cannot be changed ---- */

static _Atomic(unsigned int) lines;

static void hear(void *context, enum pinreg_log_level level, const char *line)
{
	(void)context;
	if (level == PINREG_LOG_WARNING && strstr(line, "must not be touched"))
		lines++;
}

static int no_memory_of_nobody(void *addr, uint64_t length)
{
	(void)addr;
	(void)length;
	return -ENOMEM;
}

static void place__cannot_be_taken_from_the_file(void **state)
{
	(void)state;
	hooks.map_nobody = no_memory_of_nobody;
	hooks_log = hear;
	start();
	int other = taken_by(":");
	assert_int_equal(lines, 1);
	check_memory(0, HOOKS_LENGTH);
	let_go(other);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	check_memory(0, HOOKS_LENGTH);
	end();
}

static int no_map_over(int fd, void *addr, uint64_t length, bool sync)
{
	(void)fd;
	(void)sync;
	munmap(addr, length); /* as kernels do that first unmap, and then fail */
	return -ENOMEM;
}

static void place__file_cannot_be_mapped_again(void **state)
{
	(void)state;
	hooks.map_over = no_map_over;
	start();
	let_go(taken_by(":"));
	host_expect(domain, PINREG_EVENT_LOST, &event);
	assert_int_equal(event.why.reason, PINREG_REASON_FILE_SYSTEM_CALL);
	assert_string_equal(event.why.step, "mmap");
	assert_int_equal(event.why.os_error, ENOMEM);
	store_everywhere(0xee);
	assert_int_equal(fake_device_regions(), 0);
	/* and the file is everybody's, as it was */
	assert_int_equal(host_run("cmp '%s' '%s'", hooks_a, hooks_b), 0);
	end();
}

/* ---- a forked child ---- */

static void child_has_nothing_there(void)
{
	int status;
	pid_t child = fork();
	if (!child)
		_exit(msync((void *)(uintptr_t)memory, HOOKS_LENGTH, MS_ASYNC) == -1 &&
				      errno == ENOMEM
			      ? 0
			      : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void place__is_not_a_childs(void **state)
{
	(void)state;
	start();
	child_has_nothing_there();
	int other = taken_by(":");
	child_has_nothing_there();
	let_go(other);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	child_has_nothing_there();
	end();
}

/* ---- a plan that is made while nobody's memory is there ---- */

static int visitor;

static int be_taken(struct pinreg_maps *maps)
{
	if (visitor < 0)
		visitor = taken_by(":");
	return pinreg_sys_real.maps_begin(maps);
}

static void be_let_go(struct pinreg_maps *maps)
{
	pinreg_sys_real.maps_end(maps);
	if (visitor > 0) {
		let_go(visitor);
		host_expect(domain, PINREG_EVENT_RESTORED, &event);
	}
	visitor = 0;
}

static void register__planned_for_nobodys_memory(void **state)
{
	(void)state;
	struct pinreg_region *second = NULL;
	struct pinreg_why why;
	hooks.maps_begin = be_taken;
	hooks.maps_end = be_let_go;
	start();
	visitor = -1;
	assert_int_equal(pinreg_file_register(file, 0, 0, NULL, &why, &second), -EAGAIN);
	assert_int_equal(why.reason, PINREG_REASON_FENCED);
	assert_null(second);
	test_ok(pinreg_file_register(file, 0, 0, NULL, &why, &second));
	assert_int_equal(why.reason, PINREG_REASON_ODP_PAGECACHE);
	test_ok(pinreg_region_deregister(second));
	end();
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(late_store__does_not_reach_the_file),
	cmocka_unit_test(late_store__in_a_file_cut_to_nothing),
	cmocka_unit_test(late_store__at_any_moment),
	cmocka_unit_test(late_store__after_the_file_was_lost),
	cmocka_unit_test(place__cannot_be_taken_from_the_file),
	cmocka_unit_test(place__file_cannot_be_mapped_again),
	cmocka_unit_test(place__is_not_a_childs),
	cmocka_unit_test(register__planned_for_nobodys_memory),
};

TEST_MAIN(cases)
