/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/touching.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/runs.h"
#include "support/test.h"
#include "sys/cpus.h"
#include "sys/real.h"

struct touching touching;
static struct pinreg_sys table;
struct pinreg_device touching_device;

static _Thread_local unsigned int number; /* of a thread that touches, from 1 */
static atomic_uint numbers;

static int populate(void *addr, uint64_t length, bool write)
{
	sigset_t blocked;
	if (!number)
		number = atomic_fetch_add(&numbers, 1) + 1;
	atomic_fetch_or(&touching.threads, 1ull << (number - 1));
	if (!pthread_equal(pthread_self(), touching.caller)) {
		atomic_fetch_add(&touching.foreign, 1);
		for (int i = 0; touching.slow && i < 500 && !touching.told; i++)
			usleep(10000);
		if (touching.slow)
			usleep(100000);
		pthread_sigmask(SIG_SETMASK, NULL, &blocked);
		if (!sigismember(&blocked, SIGTERM) || !sigismember(&blocked, SIGRTMIN + 1))
			atomic_fetch_add(&touching.signals_open, 1);
	}
	if (atomic_fetch_add(&touching.populated, 1) + 1 == touching.fail_at)
		return touching.fail_error;
	atomic_fetch_add(&touching.bytes, length);
	return pinreg_real_populate(addr, length, write);
}

static void resident(void *const *pages, unsigned int count, bool *out)
{
	atomic_fetch_add(&touching.looks, 1);
	pinreg_real_resident(pages, count, out);
}

static int advise_huge(void *addr, uint64_t length)
{
	atomic_fetch_add(&touching.advised, 1);
	return pinreg_real_advise_huge(addr, length);
}

static void cpus(struct pinreg_cpus *out)
{
	pinreg_real_cpus(out);
	if (touching.cpus)
		out->count = touching.cpus;
	if (!touching.nodes)
		return;
	/* all nodes of as many CPUs, each known by its only CPU that exists: 0 */
	out->nodes = touching.nodes;
	for (unsigned int i = 0; i < touching.nodes; i++) {
		CPU_ZERO(&out->of_node[i]);
		for (unsigned int j = 0; j < touching.cpus / touching.nodes; j++)
			CPU_SET(i * 16 + j, &out->of_node[i]);
	}
}

atomic_uint touching_bound_to[16];

static int run_on(const cpu_set_t *set)
{
	for (unsigned int i = 0; i < 16; i++)
		if (CPU_ISSET(i * 16, set))
			atomic_fetch_add(&touching_bound_to[i], 1);
	atomic_fetch_add(&touching.bound, 1);
	return -EINVAL; /* there are no such CPUs; the work is done all the same */
}

unsigned int touching_threads(void)
{
	return (unsigned int)__builtin_popcountll(touching.threads);
}

static unsigned int threads_alive(void)
{
	unsigned int count = 0;
	DIR *tasks = opendir("/proc/self/task");
	assert_non_null(tasks);
	for (struct dirent *entry; (entry = readdir(tasks));)
		count += entry->d_name[0] != '.';
	closedir(tasks);
	return count;
}

static unsigned int threads_before;

void touching_no_thread_left(void)
{
	for (int i = 0; i < 500 && threads_alive() != threads_before; i++)
		usleep(10000);
	assert_int_equal(threads_alive(), threads_before);
}

static void *nothing(void *tid)
{
	*(pid_t *)tid = gettid();
	return NULL;
}

/* A sanitizer begins one of its own when the first is made. */
static void make_first_thread(void)
{
	pthread_t thread;
	pid_t tid;
	char path[64];
	test_ok(-pthread_create(&thread, NULL, nothing, &tid));
	test_ok(-pthread_join(thread, NULL));
	snprintf(path, sizeof(path), "/proc/self/task/%d", tid);
	for (int i = 0; i < 500 && !access(path, F_OK); i++)
		usleep(10000);
}

int touching_set_up(void **state)
{
	(void)state;
	table = pinreg_sys_real;
	table.populate = populate;
	table.resident = resident;
	table.advise_huge = advise_huge;
	table.cpus = cpus;
	table.run_on = run_on;
	touching_device.sys = &table;
	touching_device.huge_size = 0;
	touching.caller = pthread_self();
	make_first_thread();
	threads_before = threads_alive();
	return 0;
}

unsigned char *touching_cold(size_t length)
{
	unsigned char *memory =
		map_or_fail(length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	/* huge pages would come in where one byte was touched; those that want them ask */
	madvise(memory, length, MADV_NOHUGEPAGE);
	return memory;
}

size_t touching_resident(void *addr, size_t length)
{
	unsigned char *start = (unsigned char *)((uintptr_t)addr & ~(page_size() - 1));
	size_t count =
		((uintptr_t)addr + length - (uintptr_t)start + page_size() - 1) / page_size();
	unsigned char *states = malloc(count);
	size_t there = 0;
	assert_non_null(states);
	test_ok(mincore(start, count * page_size(), states));
	for (size_t i = 0; i < count; i++)
		there += states[i] & 1;
	free(states);
	return there;
}

int touching_do(void *addr, size_t length, const struct pinreg_populate *how)
{
	static const struct pinreg_populate usual = { .write = true };
	return pinreg_populate_range(&touching_device, addr, length, how ? how : &usual);
}
