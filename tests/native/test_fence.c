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
	int writer = host_stay("exec 9>>'%s'", hooks_a);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	unsigned int left = fake_device_regions();
	host_let_go(writer);
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

/* Something takes as long as it may. */
static struct {
	_Atomic(bool) begun;
	_Atomic(bool) may_end;
} slow;

static void be_slow(void)
{
	slow.begun = true;
	while (!slow.may_end)
		hooks_nap(1);
}

static void until_it_is_slow(void)
{
	while (!slow.begun)
		hooks_nap(1);
}

#define TRIES 3000 /* of a millisecond */

static int slow_commit(struct pinreg_persist *persist, void *addr, uint64_t length)
{
	(void)persist;
	(void)addr;
	(void)length;
	be_slow();
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
	hooks_files();
	struct pinreg_region *region = hooks_register(hooks_open(domain, hooks_a));
	pthread_create(&thread, NULL, commit_all, region);
	until_it_is_slow();
	int writer = host_start("exec 9>>'%s'", hooks_a);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	/* 1 ms was promised */
	for (unsigned int i = 0; i < TRIES && fake_device_regions(); i++)
		hooks_nap(1);
	unsigned int left = fake_device_regions();
	slow.may_end = true;
	pthread_join(thread, NULL);
	host_wait(writer);
	assert_int_equal(left, 0);
}

/* Its lease is broken: it is fenced at once, or back already. */
static bool is_fenced_soon(struct pinreg_region *region)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	for (unsigned int i = 0; i < TRIES; i++) {
		if (pinreg_region_keys(region, &keys) == -EAGAIN || keys.generation == 2)
			return true;
		hooks_nap(1);
	}
	return false;
}

static void fence__of_another_file_while_a_commit_is_slow(void **state)
{
	(void)state;
	hooks = (struct pinreg_sys){ .persist_range = slow_commit };
	struct pinreg_domain *domain = hooks_domain(1);
	struct pinreg_event event;
	pthread_t thread;
	hooks_files();
	struct pinreg_region *a = hooks_register(hooks_open(domain, hooks_a));
	struct pinreg_region *b = hooks_register(hooks_open(domain, hooks_b));
	pthread_create(&thread, NULL, commit_all, a);
	until_it_is_slow();
	int first = host_start("exec 9>>'%s'", hooks_a);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	int second = host_start("exec 9>>'%s'", hooks_b);
	bool fenced = is_fenced_soon(b);
	slow.may_end = true;
	pthread_join(thread, NULL);
	host_wait(first);
	host_wait(second);
	assert_true(fenced);
}

static int slow_third(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
		      unsigned int access, struct ibv_mr **out)
{
	if (++registrations == 3)
		be_slow();
	return fake_device_sys()->mr_register(pd, addr, length, iova, access, out);
}

static void fence__of_another_file_while_one_returns(void **state)
{
	(void)state;
	hooks = (struct pinreg_sys){ .mr_register = slow_third };
	struct pinreg_domain *domain = hooks_domain(1);
	struct pinreg_event event;
	hooks_files();
	hooks_register(hooks_open(domain, hooks_a));
	struct pinreg_region *b = hooks_register(hooks_open(domain, hooks_b));
	assert_int_equal(host_run("exec 9>>'%s'", hooks_a), 0);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	until_it_is_slow();
	int second = host_start("exec 9>>'%s'", hooks_b);
	bool fenced = is_fenced_soon(b);
	slow.may_end = true;
	host_wait(second);
	assert_true(fenced);
}

/* ---- who has closed, but not quite ---- */

static unsigned int leases_taken;
static _Atomic(int) longest_ms; /* that the watcher would wait */
static _Atomic(bool) refused;

/* The first time that it could be had again he is not quite gone. */
static int take_not_yet(int fd, int signal, pid_t thread)
{
	int status = pinreg_sys_real.lease_take(fd, signal, thread);
	if (status || ++leases_taken != 2)
		return status;
	pinreg_sys_real.lease_release(fd);
	longest_ms = 0;
	refused = true;
	return -EAGAIN;
}

static int wait_noted(int event, int inotify, int signal, int device, int timeout_ms,
		      struct pinreg_wakeup *out)
{
	if (timeout_ms > longest_ms)
		longest_ms = timeout_ms;
	return pinreg_sys_real.wait(event, inotify, signal, device, timeout_ms, out);
}

static void restored__soon_after_a_long_stay(void **state)
{
	(void)state;
	hooks = (struct pinreg_sys){ .lease_take = take_not_yet, .wait = wait_noted };
	struct pinreg_domain *domain = hooks_domain(1);
	struct pinreg_event event;
	hooks_files();
	hooks_register(hooks_open(domain, hooks_a));
	int writer = host_stay("exec 9>>'%s'", hooks_a);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	while (longest_ms < 500) /* the tries are a second apart */
		hooks_nap(10);
	assert_int_equal(host_let_go(writer), 0);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	assert_true(refused);
	assert_true(longest_ms < 100);
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
