/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_enter.c -- who works with a region's keys is waited for, in time and no
 * longer, and never sees keys that do not belong together.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "support/asleep.h"
#include "support/hooks.h"
#include "support/test.h"

#define LONG_MS 10000u

/* ---- a leased file with one region, somebody who wants it, and what is counted ---- */

#define BREAKS 40u

static struct {
	struct pinreg_domain *domain;
	struct pinreg_file *file;
	struct pinreg_region *region;
	_Atomic(unsigned int) registered;   /* so often */
	_Atomic(uint32_t) rkey[BREAKS + 2]; /* of each generation */
	_Atomic(unsigned int) dead;	    /* the last generation whose key is */
} seen;

static int register_noted(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
			  unsigned int access, struct ibv_mr **out)
{
	int status = fake_device_sys()->mr_register(pd, addr, length, iova, access, out);
	unsigned int generation = ++seen.registered;
	assert_true(generation < BREAKS + 2);
	seen.rkey[generation] = (*out)->rkey;
	return status;
}

static int deregister_noted(struct ibv_mr *mr)
{
	seen.dead++;
	return fake_device_sys()->mr_deregister(mr);
}

/* More shards than threads: an exit elsewhere is in another one. */
static unsigned int many_cpus(void)
{
	return 16;
}

static void open_scene(unsigned int quiesce_ms)
{
	hooks = (struct pinreg_sys){
		.wait = asleep_wait,
		.mr_register = register_noted,
		.mr_deregister = deregister_noted,
		.cpus_online = many_cpus,
	};
	seen.domain = hooks_domain(quiesce_ms);
	hooks_files();
	seen.file = hooks_open(seen.domain, hooks_a);
	seen.region = hooks_register(seen.file);
}

static void close_scene(void)
{
	test_ok(pinreg_region_deregister(seen.region));
	test_ok(pinreg_file_close(seen.file));
	test_ok(pinreg_domain_close(seen.domain));
}

/* Somebody wants it, who does not wait. */
static void want_file(struct pinreg_event *out)
{
	assert_int_equal(open(hooks_a, O_WRONLY | O_NONBLOCK | O_CLOEXEC), -1);
	assert_int_equal(errno, EWOULDBLOCK);
	host_expect(seen.domain, PINREG_EVENT_BREAK, out);
}

static void expect_return(struct pinreg_event *out)
{
	host_expect(seen.domain, PINREG_EVENT_FENCED, out);
	host_expect(seen.domain, PINREG_EVENT_RESTORED, out);
}

static uint64_t now_ms(void)
{
	return pinreg_sys_real.now_ns() / 1000000;
}

/* ---- what it gives ---- */

static void enter__gives_the_keys_of_now(void **state)
{
	(void)state;
	struct pinreg_keys keys = { .size = sizeof(keys) };
	struct pinreg_keys inside = { .size = sizeof(inside) };
	open_scene(1);
	test_ok(pinreg_region_keys(seen.region, &keys));
	test_ok(pinreg_region_enter(seen.region, &inside));
	assert_memory_equal(&inside, &keys, sizeof(keys));
	test_ok(pinreg_region_enter(seen.region, NULL)); /* once more */
	pinreg_region_exit(seen.region);
	pinreg_region_exit(seen.region);
	close_scene();
}

static void enter__nonsense(void **state)
{
	(void)state;
	struct pinreg_keys keys = { .size = 3 };
	struct pinreg_event event;
	open_scene(LONG_MS);
	assert_int_equal(pinreg_region_enter(NULL, NULL), -EINVAL);
	assert_int_equal(pinreg_region_enter(seen.region, &keys), -EINVAL);
	pinreg_region_exit(NULL);
	/* nobody is counted: the fence does not wait */
	want_file(&event);
	test_ok(pinreg_file_ack(seen.file, event.generation));
	expect_return(&event);
	close_scene();
}

static void enter__region_that_is_never_fenced(void **state)
{
	(void)state;
	static unsigned char memory[8192];
	struct pinreg_keys keys = { .size = sizeof(keys) };
	struct pinreg_keys inside = { .size = sizeof(inside) };
	struct pinreg_region *plain = NULL;
	struct pinreg_event event;
	open_scene(1);
	test_ok(pinreg_region_register(seen.domain, memory, sizeof(memory), NULL, NULL, &plain));
	want_file(&event);
	test_ok(pinreg_region_enter(plain, &inside));
	test_ok(pinreg_region_keys(plain, &keys));
	assert_memory_equal(&inside, &keys, sizeof(keys));
	pinreg_region_exit(plain);
	expect_return(&event);
	test_ok(pinreg_region_deregister(plain));
	close_scene();
}

static void enter__refused_from_break_to_restored(void **state)
{
	(void)state;
	struct pinreg_keys inside = { .size = sizeof(inside) };
	struct pinreg_keys keys = { .size = sizeof(keys) };
	struct pinreg_event event;
	open_scene(LONG_MS);
	int writer = host_stay("exec 9>>'%s'", hooks_a);
	host_expect(seen.domain, PINREG_EVENT_BREAK, &event);
	assert_int_equal(pinreg_region_enter(seen.region, NULL), -EAGAIN);
	test_ok(pinreg_region_keys(seen.region, &keys)); /* they work still */
	test_ok(pinreg_file_ack(seen.file, event.generation));
	host_expect(seen.domain, PINREG_EVENT_FENCED, &event);
	assert_int_equal(pinreg_region_enter(seen.region, &inside), -EAGAIN);
	assert_int_equal(host_let_go(writer), 0);
	host_expect(seen.domain, PINREG_EVENT_RESTORED, &event);
	test_ok(pinreg_region_enter(seen.region, &inside));
	assert_int_equal(inside.generation, 2);
	assert_int_not_equal(inside.rkey, keys.rkey);
	test_ok(pinreg_region_keys(seen.region, &keys));
	assert_memory_equal(&inside, &keys, sizeof(keys));
	pinreg_region_exit(seen.region);
	close_scene();
}

static void enter__lost(void **state)
{
	(void)state;
	struct pinreg_event event;
	open_scene(1);
	assert_int_equal(host_run("exec 9<'%s'; rm '%s'", hooks_a, hooks_a), 0);
	host_expect(seen.domain, PINREG_EVENT_BREAK, &event);
	host_expect(seen.domain, PINREG_EVENT_FENCED, &event);
	host_expect(seen.domain, PINREG_EVENT_LOST, &event);
	assert_int_equal(pinreg_region_enter(seen.region, NULL), -ESTALE);
	close_scene();
}

/* ---- who waits for whom ---- */

static void fence__waits_for_those_inside(void **state)
{
	(void)state;
	struct pinreg_event event;
	open_scene(LONG_MS);
	test_ok(pinreg_region_enter(seen.region, NULL));
	want_file(&event);
	test_ok(pinreg_file_ack(seen.file, event.generation));
	unsigned int before = asleep_settle();
	hooks_nap(400);
	assert_int_equal(asleep_count(), before); /* nobody asks again and again */
	assert_int_equal(fake_device_regions(), 1);
	uint64_t left_ms = now_ms();
	pinreg_region_exit(seen.region);
	host_expect(seen.domain, PINREG_EVENT_FENCED, &event);
	assert_true(now_ms() - left_ms < LONG_MS / 4);
	assert_true(event.held_up_ns >= UINT64_C(400000000));
	host_expect(seen.domain, PINREG_EVENT_RESTORED, &event);
	close_scene();
}

#define DEADLINE_MS 2000

static void fence__waits_no_longer_than_the_deadline(void **state)
{
	(void)state;
	struct pinreg_event event;
	open_scene(DEADLINE_MS);
	test_ok(pinreg_region_enter(seen.region, NULL));
	want_file(&event);
	test_ok(pinreg_file_ack(seen.file, event.generation));
	host_expect(seen.domain, PINREG_EVENT_FENCED, &event);
	assert_true(event.held_up_ns >= UINT64_C(1000000) * DEADLINE_MS);
	host_expect(seen.domain, PINREG_EVENT_RESTORED, &event);
	/* he comes out at last, and counts no more */
	pinreg_region_exit(seen.region);
	want_file(&event);
	test_ok(pinreg_file_ack(seen.file, event.generation));
	host_expect(seen.domain, PINREG_EVENT_FENCED, &event);
	assert_true(event.held_up_ns < UINT64_C(1000000) * DEADLINE_MS / 4 * 3);
	host_expect(seen.domain, PINREG_EVENT_RESTORED, &event);
	close_scene();
}

static void *exit_there(void *region)
{
	pinreg_region_exit(region);
	return NULL;
}

static void exit_elsewhere(void)
{
	pthread_t thread;
	test_ok(-pthread_create(&thread, NULL, exit_there, seen.region));
	pthread_join(thread, NULL);
}

static void exit__on_another_thread(void **state)
{
	(void)state;
	struct pinreg_event event;
	open_scene(LONG_MS);
	test_ok(pinreg_region_enter(seen.region, NULL));
	test_ok(pinreg_region_enter(seen.region, NULL));
	exit_elsewhere(); /* 2 - 1, in two shards */
	want_file(&event);
	test_ok(pinreg_file_ack(seen.file, event.generation));
	asleep_settle();
	assert_int_equal(fake_device_regions(), 1);
	exit_elsewhere();
	expect_return(&event);
	close_scene();
}

static void enter__refused_wakes_nobody(void **state)
{
	(void)state;
	struct pinreg_event event;
	open_scene(LONG_MS);
	test_ok(pinreg_region_enter(seen.region, NULL));
	want_file(&event);
	unsigned int before = asleep_settle();
	for (unsigned int i = 0; i < 1000; i++)
		assert_int_equal(pinreg_region_enter(seen.region, NULL), -EAGAIN);
	hooks_nap(50);
	assert_int_equal(asleep_count(), before);
	test_ok(pinreg_file_ack(seen.file, event.generation));
	pinreg_region_exit(seen.region);
	expect_return(&event);
	close_scene();
}

/* ---- all of it at once ---- */

#define THREADS 4u

static _Atomic(bool) done;
static _Atomic(unsigned int) times_inside;

/* Inside the key is alive, and of its generation; there is no deadline to come. */
static void *work_inside(void *unused)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	while (!done) {
		int status = pinreg_region_enter(seen.region, &keys);
		if (status == -EAGAIN) {
			hooks_nap(1);
			continue;
		}
		test_ok(status);
		assert_int_equal(keys.rkey, seen.rkey[keys.generation]);
		for (unsigned int i = 0; i < 100; i++)
			assert_true(seen.dead < keys.generation);
		times_inside++;
		pinreg_region_exit(seen.region);
	}
	return unused;
}

/* Too slow for the deadline, now and then: the key may be dead, but not torn. */
static void *sleep_inside(void *unused)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	while (!done) {
		int status = pinreg_region_enter(seen.region, &keys);
		if (!status) {
			assert_int_equal(keys.rkey, seen.rkey[keys.generation]);
			times_inside++;
			hooks_nap(times_inside % 4);
			pinreg_region_exit(seen.region);
		}
	}
	return unused;
}

static void break_often(void *(*work)(void *), unsigned int quiesce_ms, bool ack)
{
	struct pinreg_event event;
	pthread_t threads[THREADS];
	open_scene(quiesce_ms);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, work, NULL);
	for (unsigned int i = 0; i < BREAKS; i++) {
		unsigned int before = times_inside;
		want_file(&event);
		if (ack)
			test_ok(pinreg_file_ack(seen.file, event.generation));
		host_expect(seen.domain, PINREG_EVENT_FENCED, &event);
		/* a wake that went astray would cost all of the time to quiesce */
		assert_true(event.held_up_ns < UINT64_C(1000000) * LONG_MS / 2);
		host_expect(seen.domain, PINREG_EVENT_RESTORED, &event);
		while (times_inside == before)
			hooks_nap(1);
	}
	done = true;
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(seen.dead, BREAKS);
	close_scene();
}

static void torture__keys_live_while_somebody_is_inside(void **state)
{
	(void)state;
	break_often(work_inside, LONG_MS, true);
}

static void torture__keys_are_never_torn(void **state)
{
	(void)state;
	break_often(sleep_inside, 1, false);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(enter__gives_the_keys_of_now),
	cmocka_unit_test(enter__nonsense),
	cmocka_unit_test(enter__region_that_is_never_fenced),
	cmocka_unit_test(enter__refused_from_break_to_restored),
	cmocka_unit_test(enter__lost),
	cmocka_unit_test(fence__waits_for_those_inside),
	cmocka_unit_test(fence__waits_no_longer_than_the_deadline),
	cmocka_unit_test(exit__on_another_thread),
	cmocka_unit_test(enter__refused_wakes_nobody),
	cmocka_unit_test(torture__keys_live_while_somebody_is_inside),
	cmocka_unit_test(torture__keys_are_never_torn),
};

TEST_MAIN(cases)
