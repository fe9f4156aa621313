/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_remote.c -- what a peer may use after what has arrived.
 */
#include <errno.h>
#include <pthread.h>

#include <pinreg/pinreg.h>

#include "support/hooks.h"
#include "support/test.h"

#define BYTES PINREG_DESCRIPTOR_LENGTH
#define ID 0x1122334455667788

static struct pinreg_remote *remote;
static struct pinreg_descriptor now = { .size = sizeof(now) };

static int arrives_of(uint64_t id, uint64_t generation, unsigned int flags)
{
	unsigned char bytes[BYTES];
	struct pinreg_descriptor it = {
		.size = sizeof(it),
		.flags = flags,
		.method = PINREG_METHOD_PIN,
		.access = PINREG_REMOTE_WRITE,
		.id = id,
		.generation = generation,
		.addr = 0x10000,
		.length = 4096,
		.rkey = flags ? 0 : (uint32_t)(1000 + generation),
	};
	test_ok(pinreg_descriptor_export(&it, bytes, BYTES));
	return pinreg_remote_update(remote, bytes, BYTES);
}

static void live(uint64_t generation)
{
	test_ok(arrives_of(ID, generation, 0));
}

static void revoked(uint64_t generation)
{
	test_ok(arrives_of(ID, generation, PINREG_DESCRIPTOR_REVOKED));
}

static void gone(uint64_t generation)
{
	test_ok(arrives_of(ID, generation, PINREG_DESCRIPTOR_REVOKED | PINREG_DESCRIPTOR_GONE));
}

static void expect(uint64_t generation)
{
	test_ok(pinreg_remote_get(remote, &now));
	assert_int_equal(now.generation, generation);
	assert_int_equal(now.rkey, 1000 + generation);
}

static void expect_none(void)
{
	assert_int_equal(pinreg_remote_get(remote, &now), -EAGAIN);
}

static void remote__in_order(void **state)
{
	(void)state;
	test_ok(pinreg_remote_open(&remote));
	expect_none();
	live(1);
	expect(1);
	revoked(1);
	expect_none();
	live(2);
	expect(2);
	gone(2);
	assert_int_equal(pinreg_remote_get(remote, &now), -ESTALE);
	pinreg_remote_close(remote);
}

static void remote__revocation_comes_first(void **state)
{
	(void)state;
	test_ok(pinreg_remote_open(&remote));
	revoked(1);
	live(1);
	expect_none();
	live(2);
	expect(2);
	pinreg_remote_close(remote);
}

static void remote__revocation_is_overtaken(void **state)
{
	(void)state;
	test_ok(pinreg_remote_open(&remote));
	live(1);
	live(3);
	revoked(1);
	revoked(2);
	expect(3);
	live(2);
	expect(3);
	pinreg_remote_close(remote);
}

static void remote__revocation_of_a_newer_one(void **state)
{
	(void)state;
	test_ok(pinreg_remote_open(&remote));
	live(1);
	revoked(2); /* the descriptor of 2 was lost */
	expect_none();
	live(3);
	expect(3);
	pinreg_remote_close(remote);
}

static void remote__doubled(void **state)
{
	(void)state;
	test_ok(pinreg_remote_open(&remote));
	live(1);
	revoked(1);
	live(1);
	expect_none();
	live(2);
	live(2);
	revoked(1);
	expect(2);
	pinreg_remote_close(remote);
}

static void remote__gone_is_for_ever(void **state)
{
	(void)state;
	test_ok(pinreg_remote_open(&remote));
	gone(1);
	live(1);
	live(2);
	assert_int_equal(pinreg_remote_get(remote, &now), -ESTALE);
	assert_int_equal(pinreg_remote_wait(remote, 0, -1, &now), -ESTALE);
	pinreg_remote_close(remote);
}

static void remote__another_region(void **state)
{
	(void)state;
	test_ok(pinreg_remote_open(&remote));
	live(1);
	assert_int_equal(arrives_of(ID + 1, 7, 0), -ESRCH);
	assert_int_equal(arrives_of(ID + 1, 7, PINREG_DESCRIPTOR_REVOKED), -ESRCH);
	expect(1);
	pinreg_remote_close(remote);
}

static void remote__work_request_failed(void **state)
{
	(void)state;
	test_ok(pinreg_remote_open(&remote));
	assert_int_equal(pinreg_remote_failed(remote, 1), -EINVAL);
	live(1);
	live(2);
	test_ok(pinreg_remote_failed(remote, 1)); /* one that was under way */
	expect(2);
	test_ok(pinreg_remote_failed(remote, 2));
	expect_none();
	live(2); /* sent before the fence */
	expect_none();
	live(3);
	expect(3);
	assert_int_equal(pinreg_remote_failed(remote, 4), -EINVAL);
	assert_int_equal(pinreg_remote_failed(remote, 0), -EINVAL);
	expect(3);
	pinreg_remote_close(remote);
}

static void remote__damaged_and_null(void **state)
{
	(void)state;
	unsigned char bytes[BYTES] = { 'P', 'N', 'R', 'G' };
	test_ok(pinreg_remote_open(&remote));
	live(1);
	assert_int_equal(pinreg_remote_update(remote, bytes, BYTES), -EBADMSG);
	assert_int_equal(pinreg_remote_update(remote, bytes, 0), -EBADMSG);
	assert_int_equal(pinreg_remote_update(remote, NULL, BYTES), -EINVAL);
	assert_int_equal(pinreg_remote_update(NULL, bytes, BYTES), -EINVAL);
	expect(1);
	assert_int_equal(pinreg_remote_get(remote, NULL), -EINVAL);
	assert_int_equal(pinreg_remote_get(NULL, &now), -EINVAL);
	assert_int_equal(pinreg_remote_wait(NULL, 0, 0, &now), -EINVAL);
	assert_int_equal(pinreg_remote_failed(NULL, 1), -EINVAL);
	assert_int_equal(pinreg_remote_open(NULL), -EINVAL);
	pinreg_remote_close(NULL);
	pinreg_remote_close(remote);
}

static void *renew_later(void *unused)
{
	hooks_nap(50);
	revoked(1);
	hooks_nap(50);
	live(2);
	return unused;
}

static void remote__waits(void **state)
{
	(void)state;
	pthread_t thread;
	test_ok(pinreg_remote_open(&remote));
	assert_int_equal(pinreg_remote_wait(remote, 0, 20, &now), -ETIMEDOUT);
	assert_int_equal(pinreg_remote_wait(remote, 0, 0, &now), -ETIMEDOUT);
	live(1);
	test_ok(pinreg_remote_wait(remote, 0, -1, &now));
	assert_int_equal(now.generation, 1);
	pthread_create(&thread, NULL, renew_later, NULL);
	test_ok(pinreg_remote_wait(remote, 1, 20000, &now));
	assert_int_equal(now.generation, 2);
	pthread_join(thread, NULL);
	pinreg_remote_close(remote);
}

static void *gone_later(void *unused)
{
	hooks_nap(50);
	gone(1);
	return unused;
}

static void remote__waits_for_what_is_gone(void **state)
{
	(void)state;
	pthread_t thread;
	test_ok(pinreg_remote_open(&remote));
	pthread_create(&thread, NULL, gone_later, NULL);
	assert_int_equal(pinreg_remote_wait(remote, 0, -1, &now), -ESTALE);
	pthread_join(thread, NULL);
	pinreg_remote_close(remote);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(remote__in_order),
	cmocka_unit_test(remote__revocation_comes_first),
	cmocka_unit_test(remote__revocation_is_overtaken),
	cmocka_unit_test(remote__revocation_of_a_newer_one),
	cmocka_unit_test(remote__doubled),
	cmocka_unit_test(remote__gone_is_for_ever),
	cmocka_unit_test(remote__another_region),
	cmocka_unit_test(remote__work_request_failed),
	cmocka_unit_test(remote__damaged_and_null),
	cmocka_unit_test(remote__waits),
	cmocka_unit_test(remote__waits_for_what_is_gone),
};

TEST_MAIN(cases)
