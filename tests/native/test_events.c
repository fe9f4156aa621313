/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_events.c -- how events reach the owner: asked for, or by a call.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/hooks.h"
#include "support/test.h"

static struct pinreg_domain *domain;
static struct pinreg_file *file;

/* ---- what the owner's function has seen, and what it is to do ---- */

#define SEEN_MAX 32

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct pinreg_event events[SEEN_MAX];
	unsigned int count;
	bool held; /* the function waits while this is set */
	bool inside;
} seen = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void note(const struct pinreg_event *event)
{
	pthread_mutex_lock(&seen.lock);
	assert_true(seen.count < SEEN_MAX);
	seen.events[seen.count++] = *event;
	seen.inside = true;
	pthread_cond_broadcast(&seen.changed);
	while (seen.held)
		pthread_cond_wait(&seen.changed, &seen.lock);
	seen.inside = false;
	pthread_mutex_unlock(&seen.lock);
}

/* Wait until there were that many, and give the last of them. */
static struct pinreg_event wait_for(unsigned int count, enum pinreg_event_type type)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 15;
	pthread_mutex_lock(&seen.lock);
	while (seen.count < count)
		if (pthread_cond_timedwait(&seen.changed, &seen.lock, &until))
			fail_msg("%u events within 15 s, not %u", seen.count, count);
	struct pinreg_event event = seen.events[count - 1];
	pthread_mutex_unlock(&seen.lock);
	assert_string_equal(pinreg_event_name(event.type), pinreg_event_name(type));
	return event;
}

static void hold(bool held)
{
	pthread_mutex_lock(&seen.lock);
	seen.held = held;
	pthread_cond_broadcast(&seen.changed);
	pthread_mutex_unlock(&seen.lock);
}

static void open_with(pinreg_event_function *function, unsigned int quiesce_ms)
{
	hooks_on_event = function;
	domain = hooks_domain(quiesce_ms);
	hooks_files();
	file = hooks_open(domain, hooks_a);
}

static void break_it(void)
{
	assert_int_equal(host_run(": >> '%s'", hooks_a), 0);
}

/* ---- an owner who is called ---- */

static char thread_name[16];

static void acknowledge(void *context, const struct pinreg_event *event)
{
	assert_null(context);
	if (event->type == PINREG_EVENT_BREAK) {
		pthread_getname_np(pthread_self(), thread_name, sizeof(thread_name));
		test_ok(pinreg_file_ack(event->file, event->generation));
	}
	note(event);
}

static void called__in_order(void **state)
{
	(void)state;
	open_with(acknowledge, 60000);
	break_it();
	struct pinreg_event event = wait_for(1, PINREG_EVENT_BREAK);
	assert_int_equal(event.size, sizeof(event));
	assert_ptr_equal(event.file, file);
	assert_int_equal(event.generation, 1);
	wait_for(2, PINREG_EVENT_FENCED);
	event = wait_for(3, PINREG_EVENT_RESTORED);
	assert_int_equal(event.generation, 2);
	assert_string_equal(thread_name, "pinreg-events");
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

static void called__nothing_is_left_to_ask_for(void **state)
{
	(void)state;
	struct pinreg_event event = { .size = sizeof(event) };
	open_with(acknowledge, 0);
	assert_int_equal(pinreg_domain_event_fd(domain), -EBUSY);
	assert_int_equal(pinreg_domain_next_event(domain, &event), -EBUSY);
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

/* The watcher lets him in: it does not wait for his function. */
static void open_own_file(void *context, const struct pinreg_event *event)
{
	(void)context;
	if (event->type == PINREG_EVENT_BREAK) {
		int fd = open(hooks_a, O_RDONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		close(fd);
	}
	note(event);
}

static void called__opens_its_own_file(void **state)
{
	(void)state;
	open_with(open_own_file, 0);
	break_it();
	wait_for(1, PINREG_EVENT_BREAK);
	wait_for(2, PINREG_EVENT_FENCED);
	wait_for(3, PINREG_EVENT_RESTORED);
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

static struct pinreg_region *made;

static void register_more(void *context, const struct pinreg_event *event)
{
	(void)context;
	if (event->type == PINREG_EVENT_RESTORED)
		test_ok(pinreg_file_register(event->file, 0, 4096, NULL, NULL, &made));
	note(event);
}

static void called__registers(void **state)
{
	(void)state;
	open_with(register_more, 0);
	break_it();
	wait_for(3, PINREG_EVENT_RESTORED);
	test_ok(pinreg_region_deregister(made));
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

static int closed_status, domain_status;

static void close_in_call(void *context, const struct pinreg_event *event)
{
	(void)context;
	domain_status = pinreg_domain_close(domain);
	if (event->type == PINREG_EVENT_FENCED)
		closed_status = pinreg_file_close(event->file);
	note(event);
}

static void called__closes_the_file(void **state)
{
	(void)state;
	open_with(close_in_call, 1);
	closed_status = 1;
	int writer = host_stay("exec 9>>'%s'", hooks_a);
	wait_for(2, PINREG_EVENT_FENCED);
	assert_int_equal(domain_status, -EDEADLK);
	assert_int_equal(closed_status, 0);
	assert_int_equal(host_let_go(writer), 0);
	host_domain_close(domain);
	assert_int_equal(seen.count, 2);
}

static void just_note(void *context, const struct pinreg_event *event)
{
	(void)context;
	note(event);
}

static void *close_file(void *done)
{
	test_ok(pinreg_file_close(file));
	__atomic_store_n((bool *)done, true, __ATOMIC_SEQ_CST);
	return NULL;
}

static void called__close_waits_for_the_call(void **state)
{
	(void)state;
	pthread_t thread;
	bool done = false;
	open_with(just_note, 1);
	hold(true);
	int writer = host_stay("exec 9>>'%s'", hooks_a);
	wait_for(1, PINREG_EVENT_BREAK);
	pthread_create(&thread, NULL, close_file, &done);
	hooks_nap(300);
	assert_false(__atomic_load_n(&done, __ATOMIC_SEQ_CST));
	hold(false);
	pthread_join(thread, NULL);
	assert_false(seen.inside);
	assert_int_equal(host_let_go(writer), 0);
	host_domain_close(domain);
	assert_int_equal(seen.count, 1); /* what had not been given out was dropped */
}

static void called__another_file_is_closed_meanwhile(void **state)
{
	(void)state;
	open_with(just_note, 1);
	struct pinreg_file *other = hooks_open(domain, hooks_b);
	hold(true);
	break_it();
	wait_for(1, PINREG_EVENT_BREAK);
	test_ok(pinreg_file_close(other));
	hold(false);
	wait_for(3, PINREG_EVENT_RESTORED);
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

/* ---- the answer ---- */

static void ack__of_another_break_does_nothing(void **state)
{
	(void)state;
	struct pinreg_event event;
	struct pinreg_file_info info = { .size = sizeof(info) };
	open_with(NULL, 4000);
	int reader = host_start("cat '%s' >/dev/null", hooks_a);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	test_ok(pinreg_file_ack(file, event.generation - 1));
	test_ok(pinreg_file_ack(file, event.generation + 1));
	hooks_nap(300);
	test_ok(pinreg_file_query(file, &info));
	assert_int_equal(info.state, PINREG_FILE_BREAKING);
	test_ok(pinreg_file_ack(file, event.generation));
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	assert_true(event.held_up_ns < 3000000000);
	assert_int_equal(host_wait(reader), 0);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	/* late: that break is over, and there is none now */
	test_ok(pinreg_file_ack(file, 1));
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

static void quiesce__none(void **state)
{
	(void)state;
	struct pinreg_event event;
	uint64_t shortest = UINT64_MAX;
	open_with(NULL, PINREG_QUIESCE_NONE);
	for (int i = 0; i < 10; i++) {
		break_it();
		host_expect(domain, PINREG_EVENT_BREAK, &event);
		host_expect(domain, PINREG_EVENT_FENCED, &event);
		if (event.held_up_ns < shortest)
			shortest = event.held_up_ns;
		host_expect(domain, PINREG_EVENT_RESTORED, &event);
	}
	assert_true(shortest < 20000000); /* the default */
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

static void event__names(void **state)
{
	(void)state;
	assert_string_equal(pinreg_event_name(PINREG_EVENT_BREAK), "break");
	assert_string_equal(pinreg_event_name(PINREG_EVENT_ADMITTED), "admitted");
	assert_string_equal(pinreg_event_name(0), "?");
	assert_string_equal(pinreg_event_name(PINREG_EVENT_ADMITTED + 1), "?");
	assert_string_equal(pinreg_device_event_name(PINREG_DEVICE_REMOVED), "removed");
	assert_string_equal(pinreg_device_event_name(PINREG_DEVICE_REMOVED + 1), "?");
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(called__in_order),
	cmocka_unit_test(called__nothing_is_left_to_ask_for),
	cmocka_unit_test(called__opens_its_own_file),
	cmocka_unit_test(called__registers),
	cmocka_unit_test(called__closes_the_file),
	cmocka_unit_test(called__close_waits_for_the_call),
	cmocka_unit_test(called__another_file_is_closed_meanwhile),
	cmocka_unit_test(ack__of_another_break_does_nothing),
	cmocka_unit_test(quiesce__none),
	cmocka_unit_test(event__names),
};

TEST_MAIN(cases)
