/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_renewal.c -- what an owner's peers are told, on real files with real leases.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/hooks.h"
#include "support/peer.h"
#include "support/test.h"

#define LIVE 0
#define REVOKED PINREG_DESCRIPTOR_REVOKED
#define GONE (PINREG_DESCRIPTOR_REVOKED | PINREG_DESCRIPTOR_GONE)

static struct pinreg_domain *domain;
static struct pinreg_renewal *renewal;
static struct pinreg_file *file;
static struct pinreg_region *region;
static struct peer peers[3];
static struct pinreg_subscription *subscriptions[3];

static void open_file(const struct pinreg_file_opts *opts)
{
	hooks_files();
	domain = hooks_domain(1);
	test_ok(pinreg_file_open(domain, AT_FDCWD, hooks_a, opts, NULL, &file));
	region = hooks_register(file);
	test_ok(pinreg_renewal_open(&renewal));
}

static void subscribe(unsigned int index)
{
	test_ok(pinreg_renewal_subscribe(renewal, region, peer_send, &peers[index],
					 &subscriptions[index]));
}

/* The next event of the domain, which must be that one, handed in. */
static int hand_in(enum pinreg_event_type type)
{
	struct pinreg_event event;
	host_expect(domain, type, &event);
	return pinreg_renewal_event(renewal, &event);
}

static void close_all(void)
{
	for (unsigned int i = 0; i < 3; i++)
		pinreg_renewal_unsubscribe(subscriptions[i]);
	test_ok(pinreg_renewal_close(renewal));
	test_ok(pinreg_region_deregister(region));
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

static void renewal__through_a_break(void **state)
{
	(void)state;
	open_file(&hooks_cache_ok);
	for (unsigned int i = 0; i < 3; i++) {
		subscribe(i);
		peer_expect(&peers[i], 1, 1, LIVE);
	}
	assert_int_equal(host_run("exec 9>>'%s'", hooks_a), 0);
	assert_int_equal(hand_in(PINREG_EVENT_BREAK), 0);
	peer_expect(&peers[0], 2, 1, REVOKED);
	assert_int_equal(hand_in(PINREG_EVENT_FENCED), 0);
	peer_expect(&peers[0], 2, 1, REVOKED); /* it knows */
	assert_int_equal(hand_in(PINREG_EVENT_RESTORED), 0);
	for (unsigned int i = 0; i < 3; i++) {
		struct pinreg_keys keys = { .size = sizeof(keys) };
		test_ok(pinreg_region_keys(region, &keys));
		peer_expect(&peers[i], 3, 2, LIVE);
		assert_int_equal(peer_message(&peers[i], 2).rkey, keys.rkey);
		assert_int_equal(peer_message(&peers[i], 2).id, peer_message(&peers[i], 0).id);
	}
	close_all();
}

/* The owner was slow, and the BREAK is no longer in the queue. */
static void renewal__fenced_without_a_break(void **state)
{
	(void)state;
	struct pinreg_event event;
	open_file(&hooks_cache_ok);
	subscribe(0);
	assert_int_equal(host_run("exec 9>>'%s'", hooks_a), 0);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	assert_int_equal(hand_in(PINREG_EVENT_FENCED), 0);
	peer_expect(&peers[0], 2, 1, REVOKED);
	close_all();
}

/* Only an event: what comes after it is as with every break. */
static void renewal__lease_is_lost_and_a_reader_is_admitted(void **state)
{
	(void)state;
	open_file(&hooks_cache_ok);
	subscribe(0);
	struct pinreg_event event = {
		.size = sizeof(event),
		.type = PINREG_EVENT_ADMITTED,
		.file = file,
		.generation = 1,
	};
	assert_int_equal(pinreg_renewal_event(renewal, &event), 0);
	peer_expect(&peers[0], 1, 1, LIVE);
	event.type = PINREG_EVENT_LEASE_LOST;
	assert_int_equal(pinreg_renewal_event(renewal, &event), 0);
	peer_expect(&peers[0], 2, 1, REVOKED);
	close_all();
}

static void renewal__one_send_fails(void **state)
{
	(void)state;
	open_file(&hooks_cache_ok);
	for (unsigned int i = 0; i < 3; i++)
		subscribe(i);
	peers[1].status = -ECONNRESET;
	assert_int_equal(host_run("exec 9>>'%s'", hooks_a), 0);
	assert_int_equal(hand_in(PINREG_EVENT_BREAK), 1);
	assert_int_equal(pinreg_subscription_status(subscriptions[1]), -ECONNRESET);
	peers[1].status = 0; /* too late */
	assert_int_equal(hand_in(PINREG_EVENT_FENCED), 0);
	assert_int_equal(hand_in(PINREG_EVENT_RESTORED), 0);
	peer_expect(&peers[0], 3, 2, LIVE);
	peer_expect(&peers[1], 1, 1, LIVE);
	peer_expect(&peers[2], 3, 2, LIVE);
	assert_int_equal(pinreg_subscription_status(subscriptions[0]), 0);
	close_all();
}

static void renewal__subscribed_while_fenced(void **state)
{
	(void)state;
	struct pinreg_event event;
	open_file(&hooks_cache_ok);
	int writer = host_stay("exec 9>>'%s'", hooks_a);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	subscribe(0);
	peer_expect(&peers[0], 1, 1, REVOKED);
	assert_int_equal(host_let_go(writer), 0);
	assert_int_equal(hand_in(PINREG_EVENT_RESTORED), 0);
	peer_expect(&peers[0], 2, 2, LIVE);
	close_all();
}

/* He has the keys of after the return when he hears of the break before it. */
static void renewal__subscribed_before_old_events(void **state)
{
	(void)state;
	struct pinreg_remote *remote;
	struct pinreg_descriptor now = { .size = sizeof(now) };
	struct pinreg_event events[3];
	open_file(&hooks_cache_ok);
	assert_int_equal(host_run("exec 9>>'%s'", hooks_a), 0);
	host_expect(domain, PINREG_EVENT_BREAK, &events[0]);
	host_expect(domain, PINREG_EVENT_FENCED, &events[1]);
	host_expect(domain, PINREG_EVENT_RESTORED, &events[2]);
	subscribe(0);
	peer_expect(&peers[0], 1, 2, LIVE);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(pinreg_renewal_event(renewal, &events[i]), 0);
	test_ok(pinreg_remote_open(&remote));
	for (unsigned int i = 0; i < peers[0].count; i++)
		test_ok(pinreg_remote_update(remote, peers[0].bytes[i], PINREG_DESCRIPTOR_LENGTH));
	test_ok(pinreg_remote_get(remote, &now));
	assert_int_equal(now.generation, 2);
	pinreg_remote_close(remote);
	close_all();
}

static void renewal__file_is_lost(void **state)
{
	(void)state;
	struct pinreg_file_opts give_up = hooks_cache_ok;
	give_up.on_shrink = PINREG_SHRINK_GIVE_UP;
	open_file(&give_up);
	subscribe(0);
	assert_int_equal(host_wait(host_start_truncate(hooks_a, 4096)), 0);
	assert_int_equal(hand_in(PINREG_EVENT_BREAK), 0);
	assert_int_equal(hand_in(PINREG_EVENT_FENCED), 0);
	assert_int_equal(hand_in(PINREG_EVENT_LOST), 0);
	peer_expect(&peers[0], 3, 1, GONE);
	assert_int_equal(
		pinreg_renewal_subscribe(renewal, region, peer_send, &peers[1], &subscriptions[1]),
		-ESTALE);
	assert_int_equal(peers[1].count, 0);
	close_all();
}

/* It has no keys, but may have some again: that is not the end. */
static void renewal__region_behind_the_end_of_a_cut_file(void **state)
{
	(void)state;
	struct pinreg_file_opts follow = hooks_cache_ok;
	follow.on_shrink = PINREG_SHRINK_FOLLOW;
	open_file(&follow);
	subscribe(0);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(host_wait(host_start_truncate(hooks_a, i ? HOOKS_LENGTH : 4096)),
				 0);
		assert_int_equal(hand_in(PINREG_EVENT_BREAK), 0);
		assert_int_equal(hand_in(PINREG_EVENT_FENCED), 0);
		assert_int_equal(hand_in(PINREG_EVENT_RESTORED), 0);
		if (i)
			break;
		peer_expect(&peers[0], 2, 1, REVOKED);
		subscribe(1);
		peer_expect(&peers[1], 1, 2, REVOKED);
	}
	peer_expect(&peers[0], 4, 3, LIVE);
	peer_expect(&peers[1], 2, 3, LIVE);
	close_all();
}

static void renewal__events_of_another_file(void **state)
{
	(void)state;
	open_file(&hooks_cache_ok);
	struct pinreg_file *other = hooks_open(domain, hooks_b);
	struct pinreg_event of_the_device = { .size = sizeof(of_the_device),
					      .type = PINREG_EVENT_DEVICE };
	subscribe(0);
	assert_int_equal(host_run("exec 9>>'%s'", hooks_b), 0);
	assert_int_equal(hand_in(PINREG_EVENT_BREAK), 0);
	assert_int_equal(hand_in(PINREG_EVENT_FENCED), 0);
	assert_int_equal(hand_in(PINREG_EVENT_RESTORED), 0);
	assert_int_equal(pinreg_renewal_event(renewal, &of_the_device), 0);
	assert_int_equal(peers[0].count, 1);
	test_ok(pinreg_file_close(other));
	close_all();
}

static void renewal__first_message_fails(void **state)
{
	(void)state;
	open_file(&hooks_cache_ok);
	peers[0].status = -ENOMEM;
	assert_int_equal(
		pinreg_renewal_subscribe(renewal, region, peer_send, &peers[0], &subscriptions[0]),
		-ENOMEM);
	assert_null(subscriptions[0]);
	close_all();
}

static void renewal__of_a_region_that_is_on_no_file(void **state)
{
	(void)state;
	static char memory[8192];
	struct pinreg_region_opts mute = { .size = sizeof(mute), .access = IBV_ACCESS_LOCAL_WRITE };
	struct pinreg_region *plain, *silent;
	open_file(&hooks_cache_ok);
	test_ok(pinreg_region_register(domain, memory, sizeof(memory), NULL, NULL, &plain));
	test_ok(pinreg_region_register(domain, memory, sizeof(memory), &mute, NULL, &silent));
	test_ok(pinreg_renewal_subscribe(renewal, plain, peer_send, &peers[0], &subscriptions[0]));
	assert_int_equal(
		pinreg_renewal_subscribe(renewal, silent, peer_send, &peers[1], &subscriptions[1]),
		-EACCES);
	assert_int_equal(host_run("exec 9>>'%s'", hooks_a), 0);
	assert_int_equal(hand_in(PINREG_EVENT_BREAK), 0);
	peer_expect(&peers[0], 1, 1, LIVE);
	pinreg_renewal_unsubscribe(subscriptions[0]);
	subscriptions[0] = NULL;
	test_ok(pinreg_region_deregister(plain));
	test_ok(pinreg_region_deregister(silent));
	close_all();
}

static void renewal__null_and_busy(void **state)
{
	(void)state;
	struct pinreg_event event = { .size = sizeof(event) };
	struct pinreg_subscription *out;
	open_file(&hooks_cache_ok);
	assert_int_equal(pinreg_renewal_open(NULL), -EINVAL);
	assert_int_equal(pinreg_renewal_subscribe(NULL, region, peer_send, NULL, &out), -EINVAL);
	assert_int_equal(pinreg_renewal_subscribe(renewal, NULL, peer_send, NULL, &out), -EINVAL);
	assert_int_equal(pinreg_renewal_subscribe(renewal, region, NULL, NULL, &out), -EINVAL);
	assert_int_equal(pinreg_renewal_subscribe(renewal, region, peer_send, NULL, NULL), -EINVAL);
	assert_int_equal(pinreg_renewal_event(NULL, &event), -EINVAL);
	assert_int_equal(pinreg_renewal_event(renewal, NULL), -EINVAL);
	event.size = 1;
	assert_int_equal(pinreg_renewal_event(renewal, &event), -EINVAL);
	assert_int_equal(pinreg_subscription_status(NULL), -EINVAL);
	pinreg_renewal_unsubscribe(NULL);
	assert_int_equal(pinreg_renewal_close(NULL), 0);
	subscribe(0);
	assert_int_equal(pinreg_renewal_close(renewal), -EBUSY);
	close_all();
}

static void refuse_everything(struct pinreg_remote *remote)
{
	struct pinreg_event event = { .size = sizeof(event) };
	struct pinreg_descriptor now = { .size = sizeof(now) };
	struct pinreg_subscription *out;
	assert_int_equal(pinreg_renewal_event(renewal, &event), -EPERM);
	assert_int_equal(pinreg_renewal_subscribe(renewal, region, peer_send, &peers[1], &out),
			 -EPERM);
	assert_int_equal(pinreg_subscription_status(subscriptions[0]), -EPERM);
	pinreg_renewal_unsubscribe(subscriptions[0]);
	assert_int_equal(pinreg_renewal_close(renewal), -EPERM);
	assert_int_equal(pinreg_remote_update(remote, peers[0].bytes[0], PINREG_DESCRIPTOR_LENGTH),
			 -EPERM);
	assert_int_equal(pinreg_remote_get(remote, &now), -EPERM);
	assert_int_equal(pinreg_remote_failed(remote, 1), -EPERM);
	pinreg_remote_close(remote);
}

static void renewal__in_a_forked_child(void **state)
{
	(void)state;
	struct pinreg_remote *remote;
	open_file(&hooks_cache_ok);
	subscribe(0);
	test_ok(pinreg_remote_open(&remote));
	fflush(NULL);
	pid_t child = fork();
	if (!child) {
		refuse_everything(remote);
		_exit(0);
	}
	assert_int_equal(host_wait(child), 0);
	pinreg_remote_close(remote);
	close_all();
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(renewal__through_a_break),
	cmocka_unit_test(renewal__fenced_without_a_break),
	cmocka_unit_test(renewal__lease_is_lost_and_a_reader_is_admitted),
	cmocka_unit_test(renewal__one_send_fails),
	cmocka_unit_test(renewal__subscribed_while_fenced),
	cmocka_unit_test(renewal__subscribed_before_old_events),
	cmocka_unit_test(renewal__file_is_lost),
	cmocka_unit_test(renewal__region_behind_the_end_of_a_cut_file),
	cmocka_unit_test(renewal__events_of_another_file),
	cmocka_unit_test(renewal__first_message_fails),
	cmocka_unit_test(renewal__of_a_region_that_is_on_no_file),
	cmocka_unit_test(renewal__null_and_busy),
	cmocka_unit_test(renewal__in_a_forked_child),
};

TEST_MAIN(cases)
