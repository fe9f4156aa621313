/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_no_memory.c -- limits of the device, the process and the domain: what a cache
 * keeps has to go before anybody is told of them.
 */
#include <errno.h>

#include "support/cached.h"
#include "support/fake_device.h"
#include "support/test.h"

#define PAGE CACHED_PAGE
#define READ IBV_ACCESS_REMOTE_READ

static unsigned char *memory; /* of 64 pages */

static struct pinreg_region *get_page(unsigned int number)
{
	return cached_get(memory + number * PAGE, PAGE, 0, NULL);
}

static void use_page(unsigned int number)
{
	cached_put(get_page(number));
}

static uint64_t device_room;
static int device_error;

static int when_there_is_room(void *addr, size_t length, unsigned int access)
{
	(void)addr;
	(void)length;
	(void)access;
	return tagged_device.live >= device_room ? device_error : 0;
}

/* Eight idle ones, and no room for another. */
static void fill_up(void)
{
	memory = cached_pages(64);
	cached_open_as(PINREG_MONITOR_MANUAL);
	for (unsigned int i = 0; i < 8; i++)
		use_page(2 * i);
	assert_int_equal(cached_info().regions, 8);
}

static void no_memory__idle_ones_go(void **state)
{
	(void)state;
	tagged_set_up();
	tagged_device.registers = when_there_is_room;
	device_error = -ENOMEM;
	device_room = 8;
	fill_up();
	use_page(20);
	assert_int_equal(cached_info().evictions, 1);
	device_room = 3;
	use_page(22);
	assert_in_range(cached_info().evictions, 7, 9);
	assert_in_range(cached_info().regions, 1, 3);
	cached_close();
}

static void no_memory__all_in_use(void **state)
{
	(void)state;
	struct pinreg_why why;
	tagged_set_up();
	tagged_device.registers = when_there_is_room;
	device_error = -ENOMEM;
	device_room = 8;
	fill_up();
	struct pinreg_region *held = get_page(0);
	device_room = 1;
	assert_int_equal(cached_refused(memory + 20 * PAGE, PAGE, 0, &why), -ENOMEM);
	assert_int_equal(cached_info().regions, 1); /* all that were idle */
	assert_int_equal(cached_info().evictions, 7);
	cached_put(held);
	use_page(20);
	cached_close();
}

static void no_memory__another_error_evicts_nothing(void **state)
{
	(void)state;
	tagged_set_up();
	tagged_device.registers = when_there_is_room;
	device_error = -EIO;
	device_room = 8;
	fill_up();
	assert_int_equal(cached_refused(memory + 20 * PAGE, PAGE, 0, NULL), -EIO);
	assert_int_equal(cached_info().evictions, 0);
	assert_int_equal(cached_info().regions, 8);
	cached_close();
}

/* The domain's budget, which the plan looks at before the device is asked. */
static void no_memory__budget(void **state)
{
	(void)state;
	struct pinreg_domain_opts opts = {
		.size = sizeof(opts),
		.pin_budget = 8 * PAGE,
		.odp_trust = PINREG_TRUST_NONE, /* else it would be paged */
	};
	struct pinreg_why why;
	cached_domain = tagged_domain(&opts);
	fill_up();
	cached_put(cached_get(memory + 20 * PAGE, 3 * PAGE, 0, NULL));
	assert_in_range(cached_info().evictions, 3, 6);
	assert_int_equal(cached_refused(memory + 20 * PAGE, 9 * PAGE, 0, &why), -ENOMEM);
	assert_int_equal(why.reason, PINREG_REASON_BUDGET);
	assert_int_equal(cached_info().regions, 0);
	cached_close();
}

static int little_memlock(struct pinreg_memlock *out)
{
	*out = (struct pinreg_memlock){ .limit = 8 * PAGE, .used = tagged_device.live * PAGE };
	return 0;
}

static void no_memory__memlock(void **state)
{
	(void)state;
	struct pinreg_domain_opts opts = { .size = sizeof(opts), .odp_trust = PINREG_TRUST_NONE };
	struct pinreg_why why;
	tagged_set_up();
	tagged_sys.memlock = little_memlock;
	cached_domain = tagged_domain(&opts);
	fill_up();
	use_page(20);
	assert_int_equal(cached_info().evictions, 1);
	assert_int_equal(cached_refused(memory + 20 * PAGE, 9 * PAGE, 0, &why), -ENOMEM);
	assert_int_equal(why.reason, PINREG_REASON_MEMLOCK);
	cached_close();
}

static int regions_of_the_device(struct ibv_context *context, uint64_t *out)
{
	(void)context;
	*out = tagged_device.live;
	return 0;
}

/* As many regions as the device can have. */
static void no_memory__mkeys(void **state)
{
	(void)state;
	struct pinreg_region *held[8];
	struct pinreg_why why;
	tagged_set_up();
	fake_device.attr.orig_attr.max_mr = 8;
	tagged_sys.mr_count = regions_of_the_device;
	tagged_device.registers = when_there_is_room;
	device_error = -ENOMEM;
	device_room = 8;
	fill_up();
	use_page(20);
	assert_int_equal(cached_info().evictions, 1);
	cached_put(cached_get(memory + 20 * PAGE, PAGE, READ, NULL));
	for (unsigned int i = 0; i < 8; i++)
		held[i] = get_page(2 * i);
	cached_refused(memory + 40 * PAGE, PAGE, 0, &why);
	assert_int_equal(why.reason, PINREG_REASON_MKEYS);
	for (unsigned int i = 0; i < 8; i++)
		cached_put(held[i]);
	cached_close();
}

static unsigned int maps_left;

static int map_some(uint64_t length, void **out)
{
	if (!maps_left)
		return -ENOMEM;
	maps_left--;
	return pinreg_sys_real.map_anonymous(length, out);
}

static void no_memory__for_the_cache_itself(void **state)
{
	(void)state;
	struct pinreg_why why;
	struct pinreg_cache_opts opts = { .size = sizeof(opts), .monitor = PINREG_MONITOR_MANUAL };
	unsigned int least = 0;
	int status;
	tagged_set_up();
	cached_domain = tagged_domain(NULL);
	tagged_sys.map_anonymous = map_some;
	do {
		maps_left = least++;
		status = pinreg_cache_open(cached_domain, &opts, &why, &cached_cache);
		assert_true(!status || (status == -ENOMEM && why.error == -ENOMEM));
	} while (status);
	assert_in_range(least, 4, 10);
	cached_close();
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(no_memory__for_the_cache_itself),
	cmocka_unit_test(no_memory__idle_ones_go),
	cmocka_unit_test(no_memory__all_in_use),
	cmocka_unit_test(no_memory__another_error_evicts_nothing),
	cmocka_unit_test(no_memory__budget),
	cmocka_unit_test(no_memory__memlock),
	cmocka_unit_test(no_memory__mkeys),
};

TEST_MAIN(cases)
