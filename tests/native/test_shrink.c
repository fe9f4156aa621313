/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_shrink.c -- a file that comes back shorter, and is served as far as it goes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/hooks.h"
#include "support/test.h"

#define PAGE 4096u

/* All of it, the first half, the last quarter. */
enum { WHOLE, FRONT, BACK, REGIONS };

static struct pinreg_domain *domain;
static struct pinreg_file *file;
static struct pinreg_region *regions[REGIONS];
static struct pinreg_event event;
static struct pinreg_file_info info;
static unsigned char *memory;

static void start(void)
{
	struct pinreg_file_opts opts = {
		.size = sizeof(opts),
		.allow_page_cache = 1,
		.on_shrink = PINREG_SHRINK_FOLLOW,
		.on_replaced = PINREG_REPLACED_FOLLOW,
	};
	domain = hooks_domain(1);
	hooks_files();
	test_ok(pinreg_file_open(domain, AT_FDCWD, hooks_a, &opts, NULL, &file));
	test_ok(pinreg_file_register(file, 0, 0, NULL, NULL, &regions[WHOLE]));
	test_ok(pinreg_file_register(file, 0, 8 * PAGE, NULL, NULL, &regions[FRONT]));
	test_ok(pinreg_file_register(file, 12 * PAGE, 4 * PAGE, NULL, NULL, &regions[BACK]));
	info.size = sizeof(info);
	test_ok(pinreg_file_query(file, &info));
	assert_int_equal(info.length, HOOKS_LENGTH);
	memory = info.addr;
}

static void end(void)
{
	for (unsigned int i = 0; i < REGIONS; i++)
		test_ok(pinreg_region_deregister(regions[i]));
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

static void cut_to(uint64_t size)
{
	int other = host_start_truncate(hooks_a, size);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	assert_int_equal(host_wait(other), 0);
}

static void expect_served(uint64_t length)
{
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	assert_int_equal(event.length, length);
	test_ok(pinreg_file_query(file, &info));
	assert_int_equal(info.length, length);
	assert_ptr_equal(info.addr, memory);
}

static void expect_live(struct pinreg_region *region)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	struct pinreg_region_info now = { .size = sizeof(now) };
	test_ok(pinreg_region_keys(region, &keys));
	assert_int_equal(keys.generation, event.generation);
	test_ok(pinreg_region_enter(region, &keys));
	pinreg_region_exit(region);
	test_ok(pinreg_region_commit(region, 0, PAGE));
	test_ok(pinreg_region_refresh(region, 0, PAGE));
	test_ok(pinreg_region_query(region, &now));
	assert_int_equal(now.live, 1);
}

static void expect_stale(struct pinreg_region *region)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	struct pinreg_region_info now = { .size = sizeof(now) };
	unsigned char out[256];
	assert_int_equal(pinreg_region_keys(region, &keys), -ESTALE);
	assert_int_equal(pinreg_region_enter(region, &keys), -ESTALE);
	assert_int_equal(pinreg_region_enter(region, NULL), -ESTALE);
	assert_int_equal(pinreg_region_commit(region, 0, PAGE), -ESTALE);
	assert_int_equal(pinreg_region_refresh(region, 0, PAGE), -ESTALE);
	assert_int_equal(pinreg_region_export(region, out, sizeof(out)), -ESTALE);
	test_ok(pinreg_region_query(region, &now));
	assert_int_equal(now.live, 0);
}

static uint64_t size_of_file(void)
{
	struct stat look;
	test_ok(stat(hooks_a, &look));
	return (uint64_t)look.st_size;
}

static void follow__as_far_as_it_goes(void **state)
{
	(void)state;
	struct pinreg_region *more = NULL;
	struct pinreg_why why;
	start();
	cut_to(8 * PAGE + 100);
	expect_served(8 * PAGE);
	assert_int_equal(event.new_size, 8 * PAGE + 100);
	assert_int_equal(event.zeroed, 0);
	assert_int_equal(size_of_file(), 8 * PAGE + 100);
	assert_int_equal(fake_device_regions(), 1);
	expect_live(regions[FRONT]);
	expect_stale(regions[WHOLE]);
	expect_stale(regions[BACK]);
	for (unsigned int i = 0; i < 8 * PAGE; i++)
		assert_int_equal(memory[i], host_byte(i));
	/* behind the end nothing is the file's, and nothing crashes */
	memset(memory + 8 * PAGE, 0xee, HOOKS_LENGTH - 8 * PAGE);
	assert_int_equal(size_of_file(), 8 * PAGE + 100);
	/* and nothing can be registered */
	assert_int_equal(pinreg_file_register(file, 8 * PAGE, PAGE, NULL, &why, &more), -EINVAL);
	assert_int_equal(why.reason, PINREG_REASON_BAD_RANGE);
	assert_int_equal(pinreg_file_register(file, 0, 9 * PAGE, NULL, &why, &more), -EINVAL);
	test_ok(pinreg_file_register(file, PAGE, 0, NULL, &why, &more));
	struct pinreg_region_info rest = { .size = sizeof(rest) };
	test_ok(pinreg_region_query(more, &rest));
	assert_int_equal(rest.length, 7 * PAGE);
	test_ok(pinreg_region_deregister(more));
	end();
}

static void follow__grows_again(void **state)
{
	(void)state;
	start();
	cut_to(9 * PAGE);
	expect_served(9 * PAGE);
	memset(memory + 9 * PAGE, 0xee, HOOKS_LENGTH - 9 * PAGE);
	cut_to(20 * PAGE);
	expect_served(HOOKS_LENGTH);
	assert_int_equal(event.generation, 3);
	assert_int_equal(event.old_size, 9 * PAGE);
	assert_int_equal(event.new_size, 20 * PAGE);
	assert_int_equal(event.zeroed, 7 * PAGE);
	assert_int_equal(event.zeroed_offset, 9 * PAGE);
	for (unsigned int i = 0; i < REGIONS; i++)
		expect_live(regions[i]);
	for (unsigned int i = 0; i < HOOKS_LENGTH; i++)
		assert_int_equal(memory[i], i < 9 * PAGE ? host_byte(i) : 0);
	end();
}

static void follow__grows_in_part(void **state)
{
	(void)state;
	start();
	cut_to(2 * PAGE);
	expect_served(2 * PAGE);
	assert_int_equal(fake_device_regions(), 0);
	expect_stale(regions[FRONT]);
	cut_to(8 * PAGE);
	expect_served(8 * PAGE);
	expect_live(regions[FRONT]);
	expect_stale(regions[BACK]);
	end();
}

static void follow__no_page_is_left(void **state)
{
	(void)state;
	char text[256];
	start();
	cut_to(PAGE - 1);
	host_expect(domain, PINREG_EVENT_LOST, &event);
	assert_int_equal(event.why.reason, PINREG_REASON_FILE_SHRUNK);
	pinreg_why_describe(&event.why, text, sizeof(text));
	assert_string_equal(text, "the file came back with 4095 of 65536 bytes");
	expect_stale(regions[FRONT]);
	memory[0] = 1;
	end();
}

static void follow__regions_go_while_they_are_behind(void **state)
{
	(void)state;
	start();
	cut_to(8 * PAGE);
	expect_served(8 * PAGE);
	end();
}

static void follow__shorter_one_in_its_place(void **state)
{
	(void)state;
	start();
	assert_int_equal(host_run("truncate -s %u '%s' && mv '%s' '%s'", 3 * PAGE, hooks_b, hooks_b,
				  hooks_a),
			 0);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	expect_served(3 * PAGE);
	assert_int_equal(event.replaced, 1);
	assert_int_equal(event.old_size, HOOKS_LENGTH);
	assert_int_equal(event.new_size, 3 * PAGE);
	expect_stale(regions[FRONT]);
	end();
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(follow__as_far_as_it_goes),
	cmocka_unit_test(follow__grows_again),
	cmocka_unit_test(follow__grows_in_part),
	cmocka_unit_test(follow__no_page_is_left),
	cmocka_unit_test(follow__regions_go_while_they_are_behind),
	cmocka_unit_test(follow__shorter_one_in_its_place),
};

TEST_MAIN(cases)
