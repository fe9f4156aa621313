/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_moments.c -- somebody comes at an awkward moment: while a file is prepared,
 * registered, broken already, or closed; and somebody stays long.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "support/host.h"
#include "support/leased.h"
#include "support/rdma.h"
#include "support/test.h"

#define LENGTH ((uint64_t)1 << 20)
#define LARGE ((uint64_t)64 << 20)

static struct pinreg_domain *domain(unsigned int quiesce_ms)
{
	struct pinreg_domain_opts opts = { .size = sizeof(opts), .quiesce_ms = quiesce_ms };
	return rdma_domain(&opts);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void expect_all(struct pinreg_event *restored)
{
	struct pinreg_event event;
	host_expect(domain(1), PINREG_EVENT_BREAK, &event);
	host_expect(domain(1), PINREG_EVENT_FENCED, &event);
	host_expect(domain(1), PINREG_EVENT_RESTORED, restored);
}

static void no_event(void)
{
	struct pinreg_event event = { .size = sizeof(event) };
	assert_int_equal(pinreg_domain_next_event(domain(1), &event), -EAGAIN);
}

/* ---- who stays ---- */

static void stays__three_seconds(void **state)
{
	(void)state;
	struct pinreg_keys keys = { .size = sizeof(keys) };
	struct pinreg_event event;
	struct leased leased;
	domain(1);
	leased_open(&leased, leased_mounts[0], LENGTH);
	leased_register_pages(&leased);
	int writer = host_stay("exec 9<> '%s'", leased.path);
	host_expect(domain(1), PINREG_EVENT_BREAK, &event);
	host_expect(domain(1), PINREG_EVENT_FENCED, &event);
	usleep(500000);
	uint64_t cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	sleep(2);
	cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	assert_int_equal(pinreg_region_keys(leased.region, &keys), -EAGAIN);
	no_event();
	assert_int_equal(host_let_go(writer), 0);
	uint64_t left = clock_ns(CLOCK_MONOTONIC);
	host_expect(domain(1), PINREG_EVENT_RESTORED, &event);
	uint64_t back = clock_ns(CLOCK_MONOTONIC) - left;
	printf("%.1f ms of CPU in 2 s of waiting; back %.1f ms after he had left\n",
	       (double)cpu / 1e6, (double)back / 1e6);
	assert_true(cpu < 100000000);
	/* it is his leaving that is heard of, not the next try */
	assert_true(back < 500000000);
	leased_remove(&leased);
}

/* ---- while preparing ---- */

static int intruder;
static char prepared_path[256];

/* He comes while the first pieces are zeroed. */
static int let_him_come(void *context, uint64_t done, uint64_t all)
{
	(void)context;
	(void)done;
	(void)all;
	if (!intruder) {
		intruder = host_start("exec 9< '%s'; test \"$(stat -c %%s '%s')\" = 4096",
				      prepared_path, prepared_path);
		host_until_breaking(prepared_path);
	}
	return 0;
}

static void prepare__somebody_comes(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEASED_MOUNTS; i++) {
		struct pinreg_file_opts opts = {
			.size = sizeof(opts),
			.length = LARGE,
			.progress = let_him_come,
		};
		struct pinreg_file *file = NULL;
		struct pinreg_why why;
		intruder = 0;
		leased_path(prepared_path, sizeof(prepared_path), leased_mounts[i]);
		host_file(prepared_path, 1);
		assert_int_equal(
			pinreg_file_open(domain(1), AT_FDCWD, prepared_path, &opts, &why, &file),
			-EBUSY);
		assert_int_equal(why.reason, PINREG_REASON_FILE_TAKEN);
		/* he saw the file as it had been */
		assert_int_equal(host_wait(intruder), 0);
		opts.progress = NULL;
		test_ok(pinreg_file_open(domain(1), AT_FDCWD, prepared_path, &opts, &why, &file));
		test_ok(pinreg_file_close(file));
		no_event();
		unlink(prepared_path);
	}
}

/* ---- while registering ---- */

struct registering {
	struct leased *leased;
	_Atomic(int) begun;
	int status;
};

static void *register_large(void *context)
{
	struct registering *work = context;
	struct pinreg_region_opts opts = { .size = sizeof(opts), .method = PINREG_METHOD_STAGED };
	work->begun = 1;
	work->status =
		pinreg_file_register(work->leased->file, 0, 0, &opts, NULL, &work->leased->region);
	return NULL;
}

static void register__somebody_comes(void **state)
{
	(void)state;
	unsigned int ended = 0;
	struct leased leased;
	domain(1);
	leased_open(&leased, leased_mounts[1], LARGE);
	for (unsigned int i = 0; i < 8; i++) {
		struct registering work = { .leased = &leased };
		struct pinreg_event event;
		pthread_t thread;
		leased.region = NULL;
		pthread_create(&thread, NULL, register_large, &work);
		while (!work.begun)
			usleep(100);
		usleep(5000 * i);
		int fd = open(leased.path, O_RDONLY | O_CLOEXEC);
		test_ok(fd);
		close(fd);
		pthread_join(thread, NULL);
		expect_all(&event);
		if (work.status) {
			assert_int_equal(work.status, -EAGAIN);
			ended++;
		} else {
			assert_int_equal(rdma_keys(leased.region).generation, event.generation);
			test_ok(pinreg_region_deregister(leased.region));
		}
	}
	printf("%u of 8 registrations were ended by a break\n", ended);
	no_event();
	test_ok(pinreg_file_close(leased.file));
	unlink(leased.path);
}

/* ---- while it is broken already ---- */

static void break__more_come_meanwhile(void **state)
{
	(void)state;
	struct pinreg_event event;
	struct leased leased;
	int others[6];
	domain(60000);
	leased_open(&leased, leased_mounts[0], LENGTH);
	leased_register_pages(&leased);
	others[0] = host_stay("exec 9< '%s'", leased.path);
	host_expect(domain(1), PINREG_EVENT_BREAK, &event);
	assert_int_equal(event.breaker, PINREG_BREAKER_READER);
	for (int i = 1; i < 6; i++)
		others[i] = host_start(i % 2 ? "exec 9<> '%s'" : "exec 9< '%s'", leased.path);
	usleep(300000);
	test_ok(pinreg_file_ack(leased.file, event.generation));
	host_expect(domain(1), PINREG_EVENT_FENCED, &event);
	/* the first stays, so that nobody who is late breaks it again */
	for (int i = 1; i < 6; i++)
		assert_int_equal(host_wait(others[i]), 0);
	assert_int_equal(host_let_go(others[0]), 0);
	host_expect(domain(1), PINREG_EVENT_RESTORED, &event);
	sleep(1);
	assert_int_equal(rdma_keys(leased.region).generation, event.generation);
	no_event();
	leased_remove(&leased);
}

/* ---- while it is closed ---- */

static void close__somebody_comes(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 40; i++) {
		struct leased leased;
		domain(1);
		leased_open(&leased, leased_mounts[i % LEASED_MOUNTS], 16u * 4096);
		leased_register_pages(&leased);
		int reader = host_start("exec 9< '%s'", leased.path);
		usleep(400 * i);
		leased_close(&leased);
		assert_int_equal(host_wait(reader), 0);
		no_event();
		unlink(leased.path);
	}
}

/* ---- his own process ---- */

static void own__process_opens_it(void **state)
{
	(void)state;
	struct pinreg_event event;
	struct leased leased;
	domain(1);
	leased_open(&leased, leased_mounts[1], LENGTH);
	leased_register_pages(&leased);
	for (int i = 0; i < 10; i++) {
		int fd = open(leased.path, i % 2 ? O_RDWR | O_CLOEXEC : O_RDONLY | O_CLOEXEC);
		test_ok(fd);
		close(fd);
		expect_all(&event);
	}
	assert_int_equal(rdma_keys(leased.region).generation, 11);
	leased_remove(&leased);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(stays__three_seconds),	    cmocka_unit_test(prepare__somebody_comes),
	cmocka_unit_test(register__somebody_comes), cmocka_unit_test(break__more_come_meanwhile),
	cmocka_unit_test(close__somebody_comes),    cmocka_unit_test(own__process_opens_it),
};

TEST_MAIN(cases)
