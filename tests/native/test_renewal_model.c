/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_renewal_model.c -- owners and peers under seeded chance: files break and come
 * back, events are handed in late, messages are lost, doubled and overtaken, peers
 * come and go. After each step every peer is compared with what it has heard, and in
 * the end with the owner.
 */
#include <errno.h>
#include <string.h>

#include "region/region.h"
#include "region/set.h"
#include "support/fake_device.h"
#include "support/hooks.h"
#include "support/test.h"

#define BYTES PINREG_DESCRIPTOR_LENGTH
#define PEERS 4
#define EVENTS 64
#define MESSAGES 256
#define STEPS 400
#define ROUNDS 300

static uint64_t chance;

/* xorshift64 */
static unsigned int below(unsigned int limit)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return (unsigned int)(chance >> 33) % limit;
}

/* One peer, and all that is under way to it. */
struct peer_model {
	struct pinreg_subscription *subscription; /* or NULL */
	struct pinreg_remote *remote;
	unsigned char mail[MESSAGES][BYTES];
	unsigned int mails;
	/* what it has heard */
	uint64_t live, dead, seen;
	bool gone;
};

static struct pinreg_region_set set;
static struct pinreg_region *region;
static struct pinreg_renewal *renewal;
static struct pinreg_file *const file = (struct pinreg_file *)&set; /* a name, no more */
static struct peer_model peers[PEERS];
static struct pinreg_event events[EVENTS]; /* not handed in yet */
static unsigned int event_count;
static bool lossy;
static uint32_t rkey_of[STEPS]; /* of each generation */

static void note_rkey(void)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	test_ok(pinreg_region_keys(region, &keys));
	rkey_of[keys.generation] = keys.rkey;
}

static void happened(enum pinreg_event_type type)
{
	if (event_count == EVENTS)
		return; /* as if dropped */
	events[event_count++] = (struct pinreg_event){
		.size = sizeof(struct pinreg_event),
		.type = type,
		.file = file,
		.generation = pinreg_set_generation(&set),
	};
}

static void step_of_the_file(void)
{
	struct pinreg_stop never = { 0 };
	struct pinreg_why why;
	switch (set.state) {
	case PINREG_SET_LIVE:
		pinreg_set_drain(&set);
		happened(PINREG_EVENT_BREAK);
		break;
	case PINREG_SET_DRAINING:
		test_ok(pinreg_set_fence(&set));
		happened(PINREG_EVENT_FENCED);
		break;
	case PINREG_SET_FENCED:
		if (!below(20)) {
			pinreg_set_lose(&set);
			happened(PINREG_EVENT_LOST);
			break;
		}
		while (test_ok(pinreg_set_restore_one(&set, &never, &why)))
			;
		pinreg_set_open(&set);
		note_rkey();
		happened(PINREG_EVENT_RESTORED);
		break;
	case PINREG_SET_LOST:
		break;
	}
}

static int post(void *context, const void *message, size_t length)
{
	struct peer_model *peer = context;
	if (lossy && !below(30))
		return -ECONNRESET;
	if (lossy && !below(5))
		return 0;
	for (unsigned int copies = lossy && !below(5) ? 2 : 1; copies; copies--) {
		assert_true(peer->mails < MESSAGES);
		memcpy(peer->mail[peer->mails++], message, length);
	}
	return 0;
}

/* It connects again; what is under way to it may still arrive. */
static void subscribe_again(struct peer_model *peer)
{
	pinreg_renewal_unsubscribe(peer->subscription);
	peer->subscription = NULL;
	int status = pinreg_renewal_subscribe(renewal, region, post, peer, &peer->subscription);
	if (status != -ECONNRESET)
		assert_int_equal(status, set.state == PINREG_SET_LOST ? -ESTALE : 0);
}

static void hand_in_one(void)
{
	if (!event_count)
		return;
	assert_true(pinreg_renewal_event(renewal, &events[0]) >= 0);
	memmove(events, events + 1, --event_count * sizeof(events[0]));
}

static void deliver_one(struct peer_model *peer)
{
	if (!peer->mails)
		return;
	unsigned int which = lossy ? below(peer->mails) : 0;
	struct pinreg_descriptor it = { .size = sizeof(it) };
	test_ok(pinreg_descriptor_import(peer->mail[which], BYTES, &it));
	test_ok(pinreg_remote_update(peer->remote, peer->mail[which], BYTES));
	memmove(peer->mail[which], peer->mail[which + 1], (--peer->mails - which) * (size_t)BYTES);
	uint64_t *heard = it.flags ? &peer->dead : &peer->live;
	if (it.generation > *heard)
		*heard = it.generation;
	peer->gone |= (it.flags & PINREG_DESCRIPTOR_GONE) != 0;
}

/* It tries its key: dead if the owner has fenced it. */
static void use(struct peer_model *peer)
{
	struct pinreg_descriptor now = { .size = sizeof(now) };
	if (pinreg_remote_get(peer->remote, &now))
		return;
	bool works = set.state <= PINREG_SET_DRAINING && now.generation == set.generation;
	if (works)
		return;
	test_ok(pinreg_remote_failed(peer->remote, now.generation));
	if (now.generation > peer->dead)
		peer->dead = now.generation;
	subscribe_again(peer);
}

static void check(struct peer_model *peer)
{
	struct pinreg_descriptor now = { .size = sizeof(now) };
	int status = pinreg_remote_get(peer->remote, &now);
	if (peer->gone) {
		assert_int_equal(status, -ESTALE);
	} else if (peer->live <= peer->dead) {
		assert_int_equal(status, -EAGAIN);
	} else {
		assert_int_equal(status, 0);
		assert_int_equal(now.generation, peer->live);
		assert_int_equal(now.rkey, rkey_of[now.generation]);
		assert_true(now.generation >= peer->seen);
		peer->seen = now.generation;
	}
}

static void step(void)
{
	struct peer_model *peer = &peers[below(PEERS)];
	switch (below(8)) {
	case 0:
		step_of_the_file();
		break;
	case 1:
	case 2:
		hand_in_one();
		break;
	case 3:
		use(peer);
		break;
	case 4:
		if (!below(8))
			subscribe_again(peer);
		break;
	default:
		deliver_one(peer);
	}
	for (unsigned int i = 0; i < PEERS; i++)
		check(&peers[i]);
}

/* Everything arrives; whose messages were lost connects again. */
static void settle(void)
{
	bool lost = lossy;
	while (event_count)
		hand_in_one();
	lossy = false;
	for (unsigned int i = 0; i < PEERS; i++) {
		if (lost)
			subscribe_again(&peers[i]);
		while (peers[i].mails)
			deliver_one(&peers[i]);
		check(&peers[i]);
	}
}

/* What it holds is what the owner has. */
static void compare_with_owner(const struct peer_model *peer)
{
	struct pinreg_descriptor theirs = { .size = sizeof(theirs) };
	struct pinreg_descriptor ours = { .size = sizeof(ours) };
	int status = pinreg_region_describe(region, &ours);
	if (status == -ESTALE && !peer->subscription)
		return; /* it was told so when it connected */
	int got = pinreg_remote_get(peer->remote, &theirs);
	/* the revocation of a break that is under way may be there before the fence */
	if (set.state == PINREG_SET_DRAINING && got == -EAGAIN)
		return;
	assert_int_equal(got, status);
	if (!status)
		assert_memory_equal(&ours, &theirs, sizeof(ours));
}

static void no_one_to_wake(struct pinreg_file *unused)
{
	(void)unused;
}

static void open_round(void)
{
	static unsigned char memory[4096];
	struct pinreg_device *device;
	struct pinreg_why why;
	static struct pinreg_device fake;
	static struct pinreg_sys table;
	fake_device_use(&fake);
	table = pinreg_sys_real;
	table.mr_register = fake_device_sys()->mr_register;
	table.mr_deregister = fake_device_sys()->mr_deregister;
	device = &fake;
	device->sys = &table;
	device->pin_budget = UINT64_MAX;
	pinreg_set_init(&set, no_one_to_wake, file);
	struct pinreg_region_place place = { .device = device, .set = &set };
	test_ok(pinreg_region_make(&place, memory, sizeof(memory), NULL, &why, &region));
	test_ok(pinreg_renewal_open(&renewal));
	memset(peers, 0, sizeof(peers));
	note_rkey();
	for (unsigned int i = 0; i < PEERS; i++) {
		test_ok(pinreg_remote_open(&peers[i].remote));
		subscribe_again(&peers[i]);
	}
}

static void close_round(void)
{
	for (unsigned int i = 0; i < PEERS; i++) {
		pinreg_renewal_unsubscribe(peers[i].subscription);
		pinreg_remote_close(peers[i].remote);
	}
	test_ok(pinreg_renewal_close(renewal));
	test_ok(pinreg_region_deregister(region));
	pinreg_set_destroy(&set);
	event_count = 0;
}

static void rounds(bool with_losses)
{
	uint64_t generations = 0, lost = 0;
	fake_device_reset();
	fake_device.attr.orig_attr.max_mr_size = UINT64_MAX;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		chance = 0x9e3779b97f4a7c15 * (round + 1);
		lossy = with_losses;
		open_round();
		for (unsigned int i = 0; i < STEPS; i++)
			step();
		settle();
		for (unsigned int i = 0; i < PEERS; i++)
			compare_with_owner(&peers[i]);
		generations += pinreg_set_generation(&set);
		lost += set.state == PINREG_SET_LOST;
		close_round();
	}
	assert_int_equal(fake_device_regions(), 0);
	print_message("%lu generations, %lu files lost\n", (unsigned long)generations,
		      (unsigned long)lost);
	assert_true(generations > 2 * ROUNDS && lost > 0 && lost < ROUNDS);
}

static void model__reliable_channels(void **state)
{
	(void)state;
	rounds(false);
}

static void model__messages_lost_doubled_and_reordered(void **state)
{
	(void)state;
	rounds(true);
}

/* ---- a subscription in the middle of a return ---- */

static bool returns_when_asked;

uint64_t __real_pinreg_set_generation(struct pinreg_region_set *of);
uint64_t __wrap_pinreg_set_generation(struct pinreg_region_set *of);

/* The linker puts it in front of the real one (tests/CMakeLists.txt). */
uint64_t __wrap_pinreg_set_generation(struct pinreg_region_set *of)
{
	if (returns_when_asked) {
		returns_when_asked = false;
		step_of_the_file();
		assert_int_equal(set.state, PINREG_SET_LIVE);
	}
	return __real_pinreg_set_generation(of);
}

/* What it is told of the time before must not take the new keys back. */
static void model__subscribed_while_the_file_returns(void **state)
{
	(void)state;
	struct pinreg_descriptor now = { .size = sizeof(now) };
	struct peer_model *peer = &peers[0];
	fake_device_reset();
	fake_device.attr.orig_attr.max_mr_size = UINT64_MAX;
	chance = 0x9e3779b97f4a7c15; /* with which it is not lost */
	open_round();
	pinreg_remote_close(peer->remote);
	test_ok(pinreg_remote_open(&peer->remote));
	peer->mails = 0;
	step_of_the_file();
	step_of_the_file();
	assert_int_equal(set.state, PINREG_SET_FENCED);
	returns_when_asked = true;
	subscribe_again(peer);
	assert_false(returns_when_asked);
	while (event_count)
		hand_in_one();
	while (peer->mails)
		deliver_one(peer);
	test_ok(pinreg_remote_get(peer->remote, &now));
	assert_int_equal(now.generation, 2);
	close_round();
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(model__reliable_channels),
	cmocka_unit_test(model__messages_lost_doubled_and_reordered),
	cmocka_unit_test(model__subscribed_while_the_file_returns),
};

TEST_MAIN(cases)
