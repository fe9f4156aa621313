/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_many.c -- a thousand leased files in one domain.
 */
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support/hooks.h"
#include "support/test.h"

#define FILES 1000u
#define BREAKERS 10u

static struct pinreg_domain *domain;
static struct pinreg_file *files[FILES];
static char where[64];

static const char *path_of(unsigned int number)
{
	static char path[128];
	snprintf(path, sizeof(path), "%s/%u", where, number);
	return path;
}

/* Each file has a descriptor and one of its directory. */
static void allow_descriptors(void)
{
	struct rlimit limit;
	test_ok(getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = limit.rlim_max;
	test_ok(setrlimit(RLIMIT_NOFILE, &limit));
	if (limit.rlim_cur < 3 * FILES)
		test_skip("RLIMIT_NOFILE is %lu", (unsigned long)limit.rlim_cur);
}

static void open_many(void)
{
	allow_descriptors();
	domain = hooks_domain(20);
	strcpy(where, host_directory());
	for (unsigned int i = 0; i < FILES; i++)
		host_file(path_of(i), 1);
	/* what the first one starts is not of one file */
	files[0] = hooks_open(domain, path_of(0));
}

static void close_many(void)
{
	for (unsigned int i = 0; i < FILES; i++)
		test_ok(pinreg_file_close(files[i]));
	host_domain_close(domain);
}

static void file__costs_little_memory(void **state)
{
	(void)state;
	open_many();
	size_t before = mallinfo2().uordblks;
	for (unsigned int i = 1; i < FILES; i++)
		files[i] = hooks_open(domain, path_of(i));
	size_t each = (mallinfo2().uordblks - before) / (FILES - 1);
	printf("%zu bytes for a leased file\n", each);
	assert_true(each <= 2048);
	close_many();
}

/* Appends to every tenth file, one after the other. */
static int start_breaker(unsigned int first)
{
	return host_start("for i in $(seq %u %u %u); do echo more >> '%s'/$i || exit 1; done",
			  first, BREAKERS, FILES - 1, where);
}

static void many__broken_at_once(void **state)
{
	(void)state;
	struct pinreg_region *regions[FILES];
	int breakers[BREAKERS];
	open_many();
	for (unsigned int i = 0; i < FILES; i++) {
		if (i)
			files[i] = hooks_open(domain, path_of(i));
		regions[i] = hooks_register(files[i]);
	}
	for (unsigned int i = 0; i < BREAKERS; i++)
		breakers[i] = start_breaker(i);
	unsigned int restored = 0;
	while (restored < FILES) {
		struct pinreg_event event;
		host_any(domain, &event);
		assert_int_not_equal(event.type, PINREG_EVENT_LOST);
		restored += event.type == PINREG_EVENT_RESTORED;
	}
	for (unsigned int i = 0; i < BREAKERS; i++)
		assert_int_equal(host_wait(breakers[i]), 0);
	for (unsigned int i = 0; i < FILES; i++) {
		struct pinreg_keys keys = { .size = sizeof(keys) };
		test_ok(pinreg_region_keys(regions[i], &keys));
		assert_int_equal(keys.generation, 2);
		test_ok(pinreg_region_deregister(regions[i]));
	}
	close_many();
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(file__costs_little_memory),
	cmocka_unit_test(many__broken_at_once),
};

TEST_MAIN(cases)
