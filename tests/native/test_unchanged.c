/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_unchanged.c -- a file that comes back with the block map it had is not
 * prepared again, and one with another is.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/hooks.h"
#include "support/test.h"

static _Atomic(unsigned int) allocations, zeroings, looks, lines;

static int counting_allocate(int fd, int mode, uint64_t offset, uint64_t length)
{
	allocations++;
	return pinreg_sys_real.file_allocate(fd, mode, offset, length);
}

static int counting_zero(int fd, uint64_t offset, uint64_t length)
{
	zeroings++;
	return pinreg_sys_real.file_zero(fd, offset, length);
}

static int counting_extents(int fd, struct fiemap *map)
{
	looks++;
	return pinreg_sys_real.file_extents(fd, map);
}

static void hear(void *context, enum pinreg_log_level level, const char *line)
{
	(void)context;
	(void)level;
	if (strstr(line, "block map is unchanged"))
		lines++;
}

static struct pinreg_domain *domain;
static struct pinreg_file *file;
static unsigned char *memory;

static void start(void)
{
	struct pinreg_file_info info = { .size = sizeof(info) };
	hooks.file_allocate = counting_allocate;
	hooks.file_zero = counting_zero;
	hooks.file_extents = counting_extents;
	hooks_log = hear;
	domain = hooks_domain(1);
	hooks_files();
	file = hooks_open(domain, hooks_a);
	test_ok(pinreg_file_query(file, &info));
	memory = info.addr;
	assert_int_equal(lines, 0);
	allocations = 0;
	zeroings = 0;
	looks = 0;
}

/* Somebody does that to the file and goes. */
static struct pinreg_event come_back(const char *command)
{
	struct pinreg_event event;
	int other = host_start(command, hooks_a);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	assert_int_equal(host_wait(other), 0);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	return event;
}

static void end(void)
{
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

static void unchanged__is_only_looked_at(void **state)
{
	(void)state;
	start();
	for (unsigned int round = 1; round < 4; round++) {
		struct pinreg_event event = come_back("cat '%s' > /dev/null");
		assert_int_equal(event.zeroed, 0);
		assert_int_equal(lines, round);
	}
	assert_int_equal(looks, 3);
	assert_int_equal(allocations, 0);
	assert_int_equal(zeroings, 0);
	end();
}

static void unchanged__keeps_what_others_wrote(void **state)
{
	(void)state;
	start();
	come_back("printf other | dd of='%s' bs=1 seek=5000 conv=notrunc 2> /dev/null");
	assert_memory_equal(memory + 5000, "other", 5);
	assert_int_equal(memory[4999], host_byte(4999));
	assert_int_equal(lines, 1);
	assert_int_equal(zeroings, 0);
	end();
}

static void changed__hole_is_filled(void **state)
{
	(void)state;
	start();
	struct pinreg_event event = come_back("fallocate -p -o 8192 -l 4096 '%s'");
	assert_int_equal(event.zeroed, 4096);
	assert_int_equal(event.zeroed_offset, 8192);
	assert_int_equal(lines, 0);
	assert_true(allocations > 0 && zeroings > 0);
	assert_int_equal(memory[8192], 0);
	/* the map is another one now, and that is remembered */
	come_back("cat '%s' > /dev/null");
	assert_int_equal(lines, 1);
	end();
}

static void changed__other_size(void **state)
{
	(void)state;
	start();
	come_back("printf more >> '%s'");
	assert_int_equal(lines, 0);
	come_back("cat '%s' > /dev/null");
	assert_int_equal(lines, 1);
	end();
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(unchanged__is_only_looked_at),
	cmocka_unit_test(unchanged__keeps_what_others_wrote),
	cmocka_unit_test(changed__hole_is_filled),
	cmocka_unit_test(changed__other_size),
};

TEST_MAIN(cases)
