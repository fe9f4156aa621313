/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_fence.c -- no key outlives a lease, no file waits for another, whatever
 * is slow or fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "support/hooks.h"
#include "support/test.h"

static void fence__plain_region_on_a_leased_file(void **state)
{
	(void)state;
	struct pinreg_domain *domain = hooks_domain(1);
	struct pinreg_file_info info = { .size = sizeof(info) };
	struct pinreg_region *plain = NULL;
	struct pinreg_event event;
	hooks_files();
	struct pinreg_file *file = hooks_open(domain, hooks_a);
	test_ok(pinreg_file_query(file, &info));
	int status = pinreg_region_register(domain, info.addr, HOOKS_LENGTH, NULL, NULL, &plain);
	if (status)
		return; /* refused: fine as well */
	int writer = host_start("exec 9>>'%s'; sleep 1", hooks_a);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	unsigned int left = fake_device_regions();
	host_wait(writer);
	assert_int_equal(left, 0);
}

/* ---- a restore that fails, and then cannot be taken back ---- */

static unsigned int registrations, deregister_failures;

static int register_fails_fourth(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
				 unsigned int access, struct ibv_mr **out)
{
	if (++registrations == 4) {
		deregister_failures = 1;
		return -ENOMEM;
	}
	return fake_device_sys()->mr_register(pd, addr, length, iova, access, out);
}

static int deregister_may_fail(struct ibv_mr *mr)
{
	if (deregister_failures) {
		deregister_failures--;
		return -EBUSY;
	}
	return fake_device_sys()->mr_deregister(mr);
}

static void restore__failure_leaves_no_key(void **state)
{
	(void)state;
	hooks = (struct pinreg_sys){ .mr_register = register_fails_fourth,
				     .mr_deregister = deregister_may_fail };
	struct pinreg_domain *domain = hooks_domain(1);
	struct pinreg_event event;
	hooks_files();
	struct pinreg_file *file = hooks_open(domain, hooks_a);
	hooks_register(file);
	hooks_register(file);
	assert_int_equal(host_run("exec 9>>'%s'", hooks_a), 0);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	host_expect(domain, PINREG_EVENT_LOST, &event);
	assert_int_equal(fake_device_regions(), 0);
}

/* ---- one thread for all ---- */

static unsigned int commit_ms;

static int slow_commit(struct pinreg_persist *persist, void *addr, uint64_t length)
{
	(void)persist;
	(void)addr;
	(void)length;
	hooks_nap(commit_ms);
	return 0;
}

static void *commit_all(void *region)
{
	pinreg_region_commit(region, 0, HOOKS_LENGTH);
	return NULL;
}

static void fence__while_a_commit_is_slow(void **state)
{
	(void)state;
	hooks = (struct pinreg_sys){ .persist_range = slow_commit };
	struct pinreg_domain *domain = hooks_domain(1);
	struct pinreg_event event;
	pthread_t thread;
	commit_ms = 3000;
	hooks_files();
	struct pinreg_region *region = hooks_register(hooks_open(domain, hooks_a));
	pthread_create(&thread, NULL, commit_all, region);
	hooks_nap(100);
	int writer = host_start("exec 9>>'%s'", hooks_a);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	hooks_nap(1000); /* 1 ms was promised */
	unsigned int left = fake_device_regions();
	pthread_join(thread, NULL);
	host_wait(writer);
	assert_int_equal(left, 0);
}

static void fence__of_another_file_while_a_commit_is_slow(void **state)
{
	(void)state;
	hooks = (struct pinreg_sys){ .persist_range = slow_commit };
	struct pinreg_domain *domain = hooks_domain(1);
	struct pinreg_keys keys = { .size = sizeof(keys) };
	struct pinreg_event event;
	pthread_t thread;
	commit_ms = 3000;
	hooks_files();
	struct pinreg_region *a = hooks_register(hooks_open(domain, hooks_a));
	struct pinreg_region *b = hooks_register(hooks_open(domain, hooks_b));
	pthread_create(&thread, NULL, commit_all, a);
	hooks_nap(100);
	int first = host_start("exec 9>>'%s'", hooks_a);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	hooks_nap(100);
	int second = host_start("exec 9>>'%s'", hooks_b);
	hooks_nap(1000);
	int status = pinreg_region_keys(b, &keys); /* at once it would be back, generation 2 */
	pthread_join(thread, NULL);
	host_wait(first);
	host_wait(second);
	assert_true(status == -EAGAIN || keys.generation == 2);
}

static int slow_third(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
		      unsigned int access, struct ibv_mr **out)
{
	if (++registrations == 3)
		hooks_nap(3000);
	return fake_device_sys()->mr_register(pd, addr, length, iova, access, out);
}

static void fence__of_another_file_while_one_returns(void **state)
{
	(void)state;
	hooks = (struct pinreg_sys){ .mr_register = slow_third };
	struct pinreg_domain *domain = hooks_domain(1);
	struct pinreg_keys keys = { .size = sizeof(keys) };
	struct pinreg_event event;
	hooks_files();
	hooks_register(hooks_open(domain, hooks_a));
	struct pinreg_region *b = hooks_register(hooks_open(domain, hooks_b));
	assert_int_equal(host_run("exec 9>>'%s'", hooks_a), 0);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	hooks_nap(200);
	int second = host_start("exec 9>>'%s'", hooks_b);
	hooks_nap(1000);
	int status = pinreg_region_keys(b, &keys);
	host_wait(second);
	assert_true(status == -EAGAIN || keys.generation == 2);
}

/* ---- who has closed, but not quite ---- */

static unsigned int leases_taken;

/* The first time that it could be had again he is not quite gone. */
static int take_not_yet(int fd, int signal, pid_t thread)
{
	int status = pinreg_sys_real.lease_take(fd, signal, thread);
	if (status || ++leases_taken != 2)
		return status;
	pinreg_sys_real.lease_release(fd);
	return -EAGAIN;
}

static void restored__soon_after_a_long_stay(void **state)
{
	(void)state;
	hooks = (struct pinreg_sys){ .lease_take = take_not_yet };
	struct pinreg_domain *domain = hooks_domain(1);
	struct pinreg_event event;
	hooks_files();
	hooks_register(hooks_open(domain, hooks_a));
	int writer = host_start("exec 9>>'%s'; sleep 2.2", hooks_a);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	assert_int_equal(host_wait(writer), 0);
	uint64_t left = pinreg_sys_real.now_ns();
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	/* and not a second, which is what the tries are apart by then */
	assert_true(pinreg_sys_real.now_ns() - left < 500000000);
}

static unsigned int zeros;

/* ---- what a return reports ---- */

static int zero_then_break(int fd, uint64_t offset, uint64_t length)
{
	int status = pinreg_sys_real.file_zero(fd, offset, length);
	if (++zeros == 1) {
		open(hooks_a, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		hooks_nap(50);
	}
	return status;
}

static void restored__counts_an_interrupted_return(void **state)
{
	(void)state;
	hooks = (struct pinreg_sys){ .file_zero = zero_then_break };
	struct pinreg_domain *domain = hooks_domain(1);
	struct pinreg_event event;
	hooks_files();
	hooks_open(domain, hooks_a);
	assert_int_equal(host_run("exec 9<>'%s'; fallocate -p -o 4096 -l 4096 '%s'; "
				  "fallocate -p -o 20480 -l 4096 '%s'",
				  hooks_a, hooks_a, hooks_a),
			 0);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	assert_int_equal(event.zeroed, 8192);
	assert_int_equal(event.zeroed_offset, 4096);
}

/* ---- starting the thread ---- */

static unsigned int inotify_failures = 1;

static int inotify_fails_once(void)
{
	if (inotify_failures) {
		inotify_failures--;
		return -EMFILE;
	}
	return pinreg_sys_real.inotify_open();
}

static void *open_in_thread(void *domain)
{
	return hooks_open(domain, hooks_a);
}

static void watcher__second_try_after_a_failed_start(void **state)
{
	(void)state;
	hooks = (struct pinreg_sys){ .inotify_open = inotify_fails_once };
	struct pinreg_domain *domain = hooks_domain(1);
	struct pinreg_file *file = NULL;
	struct pinreg_why why;
	pthread_t thread;
	hooks_files();
	assert_int_equal(pinreg_file_open(domain, AT_FDCWD, hooks_a, &hooks_cache_ok, &why, &file),
			 -EMFILE);
	pthread_create(&thread, NULL, open_in_thread, domain);
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 3;
	assert_int_equal(pthread_timedjoin_np(thread, NULL, &until), 0);
}

static unsigned int threads_started;

static int slow_signals_open(struct pinreg_signals *signals)
{
	__atomic_add_fetch(&threads_started, 1, __ATOMIC_SEQ_CST);
	hooks_nap(20);
	return pinreg_sys_real.signals_open(signals);
}

static struct pinreg_domain *crowded;
static char crowd_path[8][300];

static void *open_one(void *path)
{
	hooks_open(crowded, path);
	return NULL;
}

static void watcher__started_once_by_many(void **state)
{
	(void)state;
	for (int round = 0; round < 20; round++) {
		pthread_t threads[8];
		hooks = (struct pinreg_sys){ .signals_open = slow_signals_open };
		threads_started = 0;
		crowded = hooks_domain(1);
		hooks_files();
		for (int i = 0; i < 8; i++) {
			snprintf(crowd_path[i], sizeof(crowd_path[i]), "%s-%d", hooks_a, i);
			host_file(crowd_path[i], 1);
		}
		for (int i = 0; i < 8; i++)
			pthread_create(&threads[i], NULL, open_one, crowd_path[i]);
		for (int i = 0; i < 8; i++)
			pthread_join(threads[i], NULL);
		if (threads_started != 1)
			fail_msg("round %d: %u threads", round, threads_started);
	}
}

/* ---- a late signal, and a descriptor used again ---- */

static bool hold_signals;

static int held_signals(struct pinreg_signals *signals, int *fds, unsigned int room)
{
	if (__atomic_load_n(&hold_signals, __ATOMIC_SEQ_CST))
		return 0;
	return pinreg_sys_real.signals_next(signals, fds, room);
}

static int let_signals_go(int fd)
{
	if (__atomic_exchange_n(&hold_signals, false, __ATOMIC_SEQ_CST))
		hooks_nap(200);
	return pinreg_sys_real.file_sync(fd);
}

static void watcher__signal_of_a_closed_file(void **state)
{
	(void)state;
	hooks = (struct pinreg_sys){ .signals_next = held_signals, .file_sync = let_signals_go };
	struct pinreg_domain *domain = hooks_domain(1000);
	hooks_files();
	struct pinreg_file *first = hooks_open(domain, hooks_a);
	__atomic_store_n(&hold_signals, true, __ATOMIC_SEQ_CST);
	assert_int_equal(open(hooks_a, O_RDONLY | O_NONBLOCK | O_CLOEXEC), -1);
	test_ok(pinreg_file_close(first));
	struct pinreg_file *file = NULL;
	struct pinreg_why why;
	/* nobody has b open */
	test_ok(pinreg_file_open(domain, AT_FDCWD, hooks_b, &hooks_cache_ok, &why, &file));
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(fence__plain_region_on_a_leased_file),
	cmocka_unit_test(restore__failure_leaves_no_key),
	cmocka_unit_test(fence__while_a_commit_is_slow),
	cmocka_unit_test(fence__of_another_file_while_a_commit_is_slow),
	cmocka_unit_test(fence__of_another_file_while_one_returns),
	cmocka_unit_test(restored__soon_after_a_long_stay),
	cmocka_unit_test(restored__counts_an_interrupted_return),
	cmocka_unit_test(watcher__second_try_after_a_failed_start),
	cmocka_unit_test(watcher__started_once_by_many),
	cmocka_unit_test(watcher__signal_of_a_closed_file),
};

TEST_MAIN(cases)
