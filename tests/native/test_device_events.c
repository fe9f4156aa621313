/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_device_events.c -- what an owner hears of his device, and what becomes of files
 * on one that is gone. The device and its news are made up here.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/hooks.h"
#include "support/test.h"
#include "sys/sys.h"

#define NEWS_MAX 256

struct pinreg_device_watch {
	int fd;
	pthread_mutex_t lock;
	struct pinreg_device_news news[NEWS_MAX];
	unsigned int count;
	unsigned int taken;
};

static struct pinreg_device_watch *newest; /* that was opened */
static unsigned int watches;
static int open_error;

static int watch_open(struct ibv_context *context, struct pinreg_device_watch **out, int *fd)
{
	(void)context;
	if (open_error)
		return open_error;
	newest = calloc(1, sizeof(*newest));
	assert_non_null(newest);
	pthread_mutex_init(&newest->lock, NULL);
	*fd = newest->fd = pinreg_sys_real.event_open();
	*out = newest;
	watches++;
	return 0;
}

static int watch_next(struct pinreg_device_watch *watch, struct pinreg_device_news *out)
{
	pthread_mutex_lock(&watch->lock);
	int status = watch->taken < watch->count ? 0 : -EAGAIN;
	if (!status)
		*out = watch->news[watch->taken++];
	else
		pinreg_sys_real.event_clear(watch->fd);
	pthread_mutex_unlock(&watch->lock);
	return status;
}

static void watch_close(struct pinreg_device_watch *watch)
{
	pinreg_sys_real.file_close(watch->fd);
	pthread_mutex_destroy(&watch->lock);
	free(watch);
	watches--;
}

static void happen(struct pinreg_device_watch *watch, enum pinreg_device_event event,
		   unsigned int port)
{
	pthread_mutex_lock(&watch->lock);
	assert_true(watch->count < NEWS_MAX);
	watch->news[watch->count++] = (struct pinreg_device_news){ event, port };
	pinreg_sys_real.event_raise(watch->fd);
	pthread_mutex_unlock(&watch->lock);
}

static void hook_news(void)
{
	hooks.device_watch_open = watch_open;
	hooks.device_watch_next = watch_next;
	hooks.device_watch_close = watch_close;
}

static void expect_device(struct pinreg_domain *domain, enum pinreg_device_event device,
			  unsigned int port)
{
	struct pinreg_event event;
	host_expect(domain, PINREG_EVENT_DEVICE, &event);
	assert_null(event.file);
	assert_int_equal(event.device, device);
	assert_int_equal(event.port, port);
	assert_int_equal(event.missed, 0);
}

static void events__reach_the_owner(void **state)
{
	(void)state;
	struct pinreg_event event = { .size = sizeof(event) };
	hook_news();
	struct pinreg_domain *domain = hooks_domain(0); /* and no file is open */
	happen(newest, PINREG_DEVICE_PORT_DOWN, 1);
	expect_device(domain, PINREG_DEVICE_PORT_DOWN, 1);
	happen(newest, PINREG_DEVICE_PORT_UP, 2);
	happen(newest, PINREG_DEVICE_FATAL, 0);
	expect_device(domain, PINREG_DEVICE_PORT_UP, 2);
	expect_device(domain, PINREG_DEVICE_FATAL, 0);
	happen(newest, PINREG_DEVICE_REMOVED, 0);
	expect_device(domain, PINREG_DEVICE_REMOVED, 0);
	assert_int_equal(pinreg_domain_next_event(domain, &event), -EAGAIN);
	host_domain_close(domain);
	assert_int_equal(watches, 0);
}

static void events__beside_leased_files(void **state)
{
	(void)state;
	struct pinreg_event event;
	hook_news();
	hooks_files();
	struct pinreg_domain *domain = hooks_domain(0);
	struct pinreg_file *file = hooks_open(domain, hooks_a);
	happen(newest, PINREG_DEVICE_PORT_DOWN, 1);
	expect_device(domain, PINREG_DEVICE_PORT_DOWN, 1);
	assert_int_equal(host_run("exec 9>>'%s'", hooks_a), 0);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	assert_int_equal(event.device, PINREG_DEVICE_NONE);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	test_ok(pinreg_file_close(file));
	happen(newest, PINREG_DEVICE_PORT_UP, 1);
	expect_device(domain, PINREG_DEVICE_PORT_UP, 1);
	host_domain_close(domain);
	assert_int_equal(watches, 0);
}

/* A port that goes up and down for ever must not push the file's events out. */
static void events__a_flood_keeps_the_last_and_counts(void **state)
{
	(void)state;
	enum { FLOOD = 200 };
	struct pinreg_event event = { .size = sizeof(event) };
	unsigned int heard = 0, missed = 0, of_file = 0;
	enum pinreg_device_event last = PINREG_DEVICE_NONE;
	hook_news();
	hooks_files();
	struct pinreg_domain *other = hooks_domain(0);
	struct pinreg_domain *domain = hooks_domain(0);
	struct pinreg_file *file = hooks_open(domain, hooks_a);
	assert_int_equal(host_run("exec 9>>'%s'", hooks_a), 0);
	for (int i = 0; i < FLOOD; i++)
		happen(newest, i % 2 ? PINREG_DEVICE_PORT_UP : PINREG_DEVICE_PORT_DOWN, 1);
	happen(newest, PINREG_DEVICE_REMOVED, 0);
	while (last != PINREG_DEVICE_REMOVED || of_file < 3) {
		hooks_nap(100); /* they come in one wake-up or in many */
		while (!pinreg_domain_next_event(domain, &event)) {
			if (event.file) {
				assert_ptr_equal(event.file, file);
				assert_int_equal(event.missed, 0);
				of_file++;
				continue;
			}
			heard++;
			missed += event.missed;
			last = event.device;
		}
	}
	assert_int_equal(heard + missed, FLOOD + 1);
	assert_int_equal(of_file, 3); /* BREAK, FENCED, RESTORED */
	assert_int_equal(pinreg_domain_next_event(other, &event), -EAGAIN);
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
	host_domain_close(other);
}

static void events__not_unless_asked_for(void **state)
{
	(void)state;
	struct pinreg_domain_opts opts = { .size = sizeof(opts), .device_events = 2 };
	struct pinreg_domain *domain = NULL;
	struct pinreg_device device;
	host_domain_close(host_domain(0)); /* on the real table, which has no device here */
	fake_device_use(&device);
	assert_int_equal(pinreg_domain_open(device.pd, &opts, &domain), -EINVAL);
	assert_null(domain);
	open_error = -EACCES;
	hook_news();
	assert_int_equal(hooks_try_domain(0, &domain), -EACCES);
	assert_null(domain);
}

/* ---- files on a device that is gone ---- */

static _Atomic(int) device_error; /* of every verb; 0: it works */
static _Atomic(int) deregister_error;

static int device_query(struct ibv_context *context, struct ibv_device_attr_ex *out)
{
	int error = atomic_load(&device_error);
	return error ? error : fake_device_sys()->device_query(context, out);
}

static int mr_register(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
		       unsigned int access, struct ibv_mr **out)
{
	int error = atomic_load(&device_error);
	if (error)
		return error;
	return fake_device_sys()->mr_register(pd, addr, length, iova, access, out);
}

static int mr_deregister(struct ibv_mr *mr)
{
	int error = atomic_load(&device_error);
	if (!error)
		error = atomic_load(&deregister_error);
	return error ? error : fake_device_sys()->mr_deregister(mr);
}

static void hook_device(void)
{
	hooks.device_query = device_query;
	hooks.mr_register = mr_register;
	hooks.mr_deregister = mr_deregister;
}

static void gone__breakers_are_let_in(void **state)
{
	(void)state;
	struct pinreg_event event;
	hook_device();
	hooks_files();
	struct pinreg_domain *domain = hooks_domain(1);
	struct pinreg_file *file = hooks_open(domain, hooks_a);
	struct pinreg_region *region = hooks_register(file);
	atomic_store(&device_error, -EIO); /* what a context without a device says */
	assert_int_equal(host_run("exec 9>>'%s'", hooks_a), 0);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	assert_true(event.held_up_ns < 1000000000);
	/* it cannot be registered again */
	host_expect(domain, PINREG_EVENT_LOST, &event);
	assert_int_equal(event.why.reason, PINREG_REASON_VERBS);
	assert_int_equal(event.why.os_error, EIO);
	test_ok(pinreg_region_deregister(region));
	test_ok(pinreg_file_close(file));
	test_ok(pinreg_domain_close(domain));
}

static void gone__all_can_be_closed(void **state)
{
	(void)state;
	struct pinreg_region *plain = NULL;
	static char memory[4096];
	hook_device();
	hooks_files();
	struct pinreg_domain *domain = hooks_domain(0);
	struct pinreg_file *file = hooks_open(domain, hooks_a);
	struct pinreg_region *region = hooks_register(file);
	test_ok(pinreg_region_register(domain, memory, sizeof(memory), NULL, NULL, &plain));
	atomic_store(&device_error, -ENODEV);
	assert_int_equal(pinreg_region_deregister(plain), 0);
	assert_int_equal(pinreg_region_deregister(region), 0);
	assert_int_equal(pinreg_file_register(file, 0, 0, NULL, NULL, &region), -ENODEV);
	assert_int_equal(pinreg_file_close(file), 0);
	assert_int_equal(pinreg_domain_close(domain), 0);
}

/* One call that fails says nothing: a key that may work keeps the breaker out. */
static void gone__not_while_the_device_answers(void **state)
{
	(void)state;
	struct pinreg_event event = { .size = sizeof(event) };
	hook_device();
	hooks_files();
	struct pinreg_domain *domain = hooks_domain(1);
	struct pinreg_file *file = hooks_open(domain, hooks_a);
	struct pinreg_region *region = hooks_register(file);
	atomic_store(&deregister_error, -EIO);
	int writer = host_start("exec 9>>'%s'", hooks_a);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	hooks_nap(300);
	assert_int_equal(pinreg_domain_next_event(domain, &event), -EAGAIN);
	assert_int_equal(fake_device_regions(), 1);
	atomic_store(&deregister_error, 0);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	assert_int_equal(host_wait(writer), 0);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	test_ok(pinreg_region_deregister(region));
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(events__reach_the_owner),
	cmocka_unit_test(events__beside_leased_files),
	cmocka_unit_test(events__a_flood_keeps_the_last_and_counts),
	cmocka_unit_test(events__not_unless_asked_for),
	cmocka_unit_test(gone__breakers_are_let_in),
	cmocka_unit_test(gone__all_can_be_closed),
	cmocka_unit_test(gone__not_while_the_device_answers),
};

TEST_MAIN(cases)
