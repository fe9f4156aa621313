/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_backing_process.c -- the one descriptor of the map among forks, threads
 * and programs that close what is not theirs; and a map that cannot be read.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plan/backing.h"
#include "support/runs.h"
#include "support/test.h"
#include "sys/maps_descriptor.h"
#include "sys/maps_text.h"

static char *anon_page(void)
{
	return map_or_fail(page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

/* In the child the page goes away and another comes; the parent keeps its own. */
static int look_after_unmapping(void *page)
{
	if (kind_at(page) != PINREG_KIND_ANON || munmap(page, page_size()))
		return -1;
	return kind_at(page) != PINREG_KIND_HOLE;
}

static void fork__child_sees_its_own_map(void **state)
{
	(void)state;
	char *page = anon_page();
	assert_int_equal(kind_at(page), PINREG_KIND_ANON);
	in_child(look_after_unmapping, page);
	assert_int_equal(kind_at(page), PINREG_KIND_ANON);
}

static int look_in_grandchild(void *page)
{
	if (kind_at(page) != PINREG_KIND_ANON)
		return -1;
	pid_t child = fork();
	if (child == 0)
		_exit(look_after_unmapping(page) ? 1 : 0);
	int status;
	return waitpid(child, &status, 0) != child || status != 0 ||
	       kind_at(page) != PINREG_KIND_ANON;
}

static void fork__grandchild_sees_its_own_map(void **state)
{
	(void)state;
	char *page = anon_page();
	assert_int_equal(kind_at(page), PINREG_KIND_ANON);
	in_child(look_in_grandchild, page);
}

/* The number of a descriptor that a child inherited does not stay open in it. */
static int descriptor_changed(void *inherited)
{
	int fd = pinreg_maps_descriptor();
	return fd < 0 || (fd != *(int *)inherited && fcntl(*(int *)inherited, F_GETFD) != -1);
}

static void fork__inherited_descriptor_is_closed(void **state)
{
	(void)state;
	int fd = pinreg_maps_descriptor();
	test_ok(fd);
	assert_int_equal(pinreg_maps_descriptor(), fd);
	in_child(descriptor_changed, &fd);
	assert_int_equal(pinreg_maps_descriptor(), fd);
}

static void descriptor__closed_by_somebody(void **state)
{
	(void)state;
	char *page = anon_page();
	int fd = pinreg_maps_descriptor();
	test_ok(fd);
	test_ok(close(fd));
	assert_int_equal(kind_at(page), PINREG_KIND_ANON);
}

static void descriptor__number_taken_by_a_file(void **state)
{
	(void)state;
	char *page = anon_page();
	int fd = pinreg_maps_descriptor();
	test_ok(fd);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(dup2(null, fd), fd);
	assert_int_equal(kind_at(page), PINREG_KIND_ANON);
	/* it was not ours any more, so it was not ours to close */
	assert_int_not_equal(fcntl(fd, F_GETFD), -1);
}

/* The worst of all: the number leads to a map, but to that of another process. */
static void descriptor__number_taken_by_another_map(void **state)
{
	(void)state;
	char *page = anon_page();
	int fd = pinreg_maps_descriptor();
	test_ok(fd);
	pid_t child = fork();
	test_ok(child);
	if (child == 0) {
		pause();
		_exit(0);
	}
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)child);
	int other = open(path, O_RDONLY | O_CLOEXEC);
	test_ok(other);
	assert_int_equal(dup2(other, fd), fd);
	test_ok(munmap(page, page_size()));
	int kind = kind_at(page);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_int_equal(kind, PINREG_KIND_HOLE);
}

static void descriptor__not_left_to_a_program(void **state)
{
	(void)state;
	int fd = pinreg_maps_descriptor();
	test_ok(fd);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

/* Questions come in ascending order as a rule; the text answers others as well. */
static void text__question_for_a_lower_address(void **state)
{
	(void)state;
	static struct pinreg_mapping low, high, again;
	struct pinreg_maps maps;
	char byte = 0;
	pinreg_maps_force_text(true);
	test_ok(pinreg_sys_real.maps_begin(&maps));
	test_ok(pinreg_sys_real.maps_find(&maps, 0, &low));
	test_ok(pinreg_sys_real.maps_find(&maps, (uintptr_t)&byte, &high));
	assert_true(high.start <= (uintptr_t)&byte && (uintptr_t)&byte < high.end);
	test_ok(pinreg_sys_real.maps_find(&maps, 0, &again));
	assert_int_equal(again.start, low.start);
	test_ok(pinreg_sys_real.maps_find(&maps, high.start, &again));
	assert_int_equal(again.start, high.start);
	pinreg_sys_real.maps_end(&maps);
}

enum { THREADS = 4 };

static atomic_int wrong_answers;
static int rounds;

/* Maps and unmaps a page of its own and looks each time. */
static void *look_all_the_time(void *unused)
{
	(void)unused;
	for (int i = 0; i < rounds; i++) {
		char *page = mmap(NULL, page_size(), PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (page == MAP_FAILED || kind_at(page) != PINREG_KIND_SHMEM)
			atomic_fetch_add(&wrong_answers, 1);
		munmap(page, page_size());
	}
	return NULL;
}

static void look_in_threads(int times)
{
	pthread_t threads[THREADS];
	rounds = times;
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, look_all_the_time, NULL), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&wrong_answers), 0);
}

static void threads__four_at_once(void **state)
{
	(void)state;
	look_in_threads(1000);
	pinreg_maps_force_text(true);
	look_in_threads(50);
}

/* Once the main thread has ended, /proc/self has no memory map any more. */
static bool own_map_is_empty(void)
{
	char byte;
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	ssize_t got = read(fd, &byte, 1);
	close(fd);
	return got <= 0;
}

static void *look_without_main_thread(void *unused)
{
	(void)unused;
	char byte = 0;
	for (int i = 0; i < 5000 && !own_map_is_empty(); i++)
		usleep(1000);
	_exit(own_map_is_empty() ? kind_at(&byte) != PINREG_KIND_ANON : 3);
}

static void threads__main_thread_has_ended(void **state)
{
	(void)state;
	fflush(NULL);
	pid_t child = fork();
	test_ok(child);
	if (child == 0) {
		pthread_t other;
		if (pthread_create(&other, NULL, look_without_main_thread, NULL))
			_exit(2);
		pthread_exit(NULL);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* From here on: a map that cannot be read, by a table of functions of our own. */

static int begin_fails(struct pinreg_maps *maps)
{
	(void)maps;
	return -EMFILE;
}

static int ends;

static void count_end(struct pinreg_maps *maps)
{
	ends++;
	pinreg_sys_real.maps_end(maps);
}

/* One mapping of a page, and then an error. */
static int find_fails_later(struct pinreg_maps *maps, uint64_t addr, struct pinreg_mapping *out)
{
	(void)maps;
	if (addr >= 0x11000)
		return -ESRCH;
	memset(out, 0, sizeof(*out));
	out->start = 0x10000;
	out->end = 0x11000;
	return 0;
}

static void sys__begin_fails(void **state)
{
	(void)state;
	struct pinreg_sys sys = pinreg_sys_real;
	struct pinreg_backing backing = { 0 };
	sys.maps_begin = begin_fails;
	assert_int_equal(pinreg_backing_look(&sys, 0x10000, 0x2000, &backing), -EMFILE);
	assert_null(backing.runs);
}

static void sys__find_fails_half_way(void **state)
{
	(void)state;
	struct pinreg_sys sys = pinreg_sys_real;
	struct pinreg_backing backing = { 0 };
	sys.maps_find = find_fails_later;
	sys.maps_end = count_end;
	assert_int_equal(pinreg_backing_look(&sys, 0x10000, 0x2000, &backing), -ESRCH);
	assert_int_equal(backing.count, 0);
	assert_null(backing.runs);
	assert_int_equal(ends, 1);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(fork__child_sees_its_own_map),
	cmocka_unit_test(fork__grandchild_sees_its_own_map),
	cmocka_unit_test(fork__inherited_descriptor_is_closed),
	cmocka_unit_test(descriptor__closed_by_somebody),
	cmocka_unit_test(descriptor__number_taken_by_a_file),
	cmocka_unit_test(descriptor__number_taken_by_another_map),
	cmocka_unit_test(descriptor__not_left_to_a_program),
	cmocka_unit_test(text__question_for_a_lower_address),
	cmocka_unit_test(threads__four_at_once),
	cmocka_unit_test(threads__main_thread_has_ended),
	cmocka_unit_test(sys__begin_fails),
	cmocka_unit_test(sys__find_fails_half_way),
};

TEST_MAIN(cases)
