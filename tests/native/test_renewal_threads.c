/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_renewal_threads.c -- peers come and go, each on a thread of its own, while the
 * file breaks and comes back and another thread hands in the events.
 */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "support/hooks.h"
#include "support/test.h"

#define PEERS 3
#define BREAKS 12

static struct pinreg_domain *domain;
static struct pinreg_renewal *renewal;
static struct pinreg_region *region;
static struct pinreg_remote *remotes[PEERS];
static _Atomic(bool) over;
static _Atomic(uint64_t) restored; /* generation of the newest RESTORED that was handed in */

static struct pinreg_file *start(void)
{
	hooks_files();
	domain = hooks_domain(1);
	struct pinreg_file *file = hooks_open(domain, hooks_a);
	region = hooks_register(file);
	test_ok(pinreg_renewal_open(&renewal));
	return file;
}

static void end(struct pinreg_file *file)
{
	test_ok(pinreg_renewal_close(renewal));
	test_ok(pinreg_region_deregister(region));
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

/* ---- many at once ---- */

static int deliver(void *remote, const void *message, size_t length)
{
	return pinreg_remote_update(remote, message, length);
}

static void *hand_in_events(void *unused)
{
	struct pollfd fd = { .fd = pinreg_domain_event_fd(domain), .events = POLLIN };
	struct pinreg_event event = { .size = sizeof(event) };
	while (!atomic_load(&over)) {
		poll(&fd, 1, 10);
		while (!pinreg_domain_next_event(domain, &event)) {
			assert_int_equal(pinreg_renewal_event(renewal, &event), 0);
			if (event.type == PINREG_EVENT_RESTORED)
				atomic_store(&restored, event.generation);
		}
	}
	return unused;
}

/* As if it had lost its connection again and again. Its keys never get older. */
static void *come_and_go(void *remote)
{
	struct pinreg_descriptor now = { .size = sizeof(now) };
	uint64_t last = 0;
	while (!atomic_load(&over)) {
		struct pinreg_subscription *subscription;
		test_ok(pinreg_renewal_subscribe(renewal, region, deliver, remote, &subscription));
		for (int i = 0; i < 20; i++) {
			if (pinreg_remote_wait(remote, 0, 1, &now))
				continue;
			assert_true(now.generation >= last);
			last = now.generation;
		}
		assert_int_equal(pinreg_subscription_status(subscription), 0);
		pinreg_renewal_unsubscribe(subscription);
	}
	return NULL;
}

static void renewal__many_threads(void **state)
{
	(void)state;
	pthread_t owner, peers[PEERS];
	struct pinreg_descriptor now = { .size = sizeof(now) };
	struct pinreg_file *file = start();
	pthread_create(&owner, NULL, hand_in_events, NULL);
	for (unsigned int i = 0; i < PEERS; i++) {
		test_ok(pinreg_remote_open(&remotes[i]));
		pthread_create(&peers[i], NULL, come_and_go, remotes[i]);
	}
	for (uint64_t generation = 2; generation < 2 + BREAKS; generation++) {
		assert_int_equal(host_run("exec 9>>'%s'", hooks_a), 0);
		while (atomic_load(&restored) < generation)
			hooks_nap(1);
		for (unsigned int i = 0; i < PEERS; i++) {
			test_ok(pinreg_remote_wait(remotes[i], generation - 1, 20000, &now));
			assert_int_equal(now.generation, generation);
		}
	}
	atomic_store(&over, true);
	pthread_join(owner, NULL);
	for (unsigned int i = 0; i < PEERS; i++) {
		pthread_join(peers[i], NULL);
		pinreg_remote_close(remotes[i]);
	}
	end(file);
}

/* ---- who leaves while a message is sent to it ---- */

static _Atomic(bool) sending, may_end, unsubscribed;

static int slow_send(void *context, const void *message, size_t length)
{
	(void)context;
	(void)message;
	(void)length;
	atomic_store(&sending, true);
	while (!atomic_load(&may_end))
		hooks_nap(1);
	assert_false(atomic_load(&unsubscribed));
	return 0;
}

static void *hand_in_break(void *file)
{
	struct pinreg_event event = {
		.size = sizeof(event),
		.type = PINREG_EVENT_BREAK,
		.file = file,
		.generation = 1,
	};
	assert_int_equal(pinreg_renewal_event(renewal, &event), 0);
	return NULL;
}

static void *unsubscribe(void *subscription)
{
	pinreg_renewal_unsubscribe(subscription);
	atomic_store(&unsubscribed, true);
	return NULL;
}

/* So the connection behind it can be destroyed as soon as it returns. */
static void renewal__unsubscribe_waits_for_a_send(void **state)
{
	(void)state;
	pthread_t sender, leaver;
	struct pinreg_subscription *subscription;
	struct pinreg_file *file = start();
	atomic_store(&may_end, true);
	test_ok(pinreg_renewal_subscribe(renewal, region, slow_send, NULL, &subscription));
	atomic_store(&may_end, false);
	atomic_store(&sending, false);
	pthread_create(&sender, NULL, hand_in_break, file);
	while (!atomic_load(&sending))
		hooks_nap(1);
	pthread_create(&leaver, NULL, unsubscribe, subscription);
	hooks_nap(50);
	assert_false(atomic_load(&unsubscribed));
	atomic_store(&may_end, true);
	pthread_join(sender, NULL);
	pthread_join(leaver, NULL);
	end(file);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(renewal__many_threads),
	cmocka_unit_test(renewal__unsubscribe_waits_for_a_send),
};

TEST_MAIN(cases)
