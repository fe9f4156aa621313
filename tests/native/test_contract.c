/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_contract.c -- what the headers promise, in the corners.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "domain.h"
#include "support/fake_device.h"
#include "support/hooks.h"
#include "support/test.h"

#define PAGES 16u
#define LENGTH (PAGES * 4096u)

static char path[256];

static struct pinreg_file *open_with(struct pinreg_domain *domain,
				     const struct pinreg_file_opts *opts)
{
	struct pinreg_file *file = NULL;
	struct pinreg_why why;
	int status = pinreg_file_open(domain, AT_FDCWD, path, opts, &why, &file);
	if (status)
		fail_msg("%s: %d, %s", path, status, pinreg_reason_name(why.reason));
	return file;
}

static struct pinreg_file_opts cache_ok = {
	.size = sizeof(cache_ok),
	.allow_page_cache = 1,
};

static void make_file(void)
{
	strcpy(path, host_file(host_path(host_directory(), "file"), PAGES));
}

/* Dirty bytes of the mapping at addr, by smaps. */
static unsigned long dirty_at(const void *addr)
{
	char line[512], start[32];
	unsigned long kib, sum = 0;
	bool here = false;
	FILE *smaps = fopen("/proc/self/smaps", "re");
	assert_non_null(smaps);
	snprintf(start, sizeof(start), "%" PRIxPTR "-", (uintptr_t)addr);
	while (fgets(line, sizeof(line), smaps)) {
		if (!strncmp(line, start, strlen(start)))
			here = true;
		if (here && (sscanf(line, "Shared_Dirty: %lu", &kib) == 1 ||
			     sscanf(line, "Private_Dirty: %lu", &kib) == 1))
			sum += kib;
		if (here && !strncmp(line, "VmFlags:", 8))
			break;
	}
	fclose(smaps);
	return sum;
}

static void commit__plain_file_mapping(void **state)
{
	(void)state;
	struct pinreg_domain *domain = host_domain(0);
	struct pinreg_region *region = NULL;
	make_file();
	int fd = open(path, O_RDWR | O_CLOEXEC);
	fsync(fd);
	char *memory = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	test_ok(pinreg_region_register(domain, memory, LENGTH, NULL, NULL, &region));
	memset(memory, 7, LENGTH);
	assert_true(dirty_at(memory) > 0);
	test_ok(pinreg_region_commit(region, 0, LENGTH)); /* "on other files msync() is called" */
	assert_int_equal(dirty_at(memory), 0);
	test_ok(pinreg_region_deregister(region));
	munmap(memory, LENGTH);
	close(fd);
	host_domain_close(domain);
}

static void register__while_breaking(void **state)
{
	(void)state;
	struct pinreg_domain *domain = host_domain(2000);
	struct pinreg_region *region = NULL;
	struct pinreg_event event;
	make_file();
	struct pinreg_file *file = open_with(domain, &cache_ok);
	int writer = host_start("exec 9>>'%s'", path);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	int status = pinreg_file_register(file, 0, 0, NULL, NULL, &region);
	host_wait(writer);
	assert_int_equal(status, -EAGAIN);
}

static void register__while_waiting_for_a_shorter_file(void **state)
{
	(void)state;
	struct pinreg_domain *domain = host_domain(1);
	struct pinreg_region *region = NULL;
	struct pinreg_event event;
	struct pinreg_why why;
	make_file();
	struct pinreg_file *file = open_with(domain, &cache_ok);
	int writer = host_stay("exec 9>>'%s'; truncate -s 4096 '%s'", path, path);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	struct stat now = { .st_size = LENGTH };
	while (now.st_size != 4096) {
		hooks_nap(1);
		test_ok(stat(path, &now));
	}
	int status = pinreg_file_register(file, 0, 0, NULL, &why, &region);
	assert_int_equal(host_let_go(writer), 0);
	assert_int_equal(status, -EAGAIN);
}

static void register__on_a_lost_file(void **state)
{
	(void)state;
	struct pinreg_domain *domain = host_domain(1);
	struct pinreg_file_opts opts = cache_ok;
	struct pinreg_region *region = NULL;
	struct pinreg_event event;
	opts.on_shrink = PINREG_SHRINK_GIVE_UP;
	make_file();
	struct pinreg_file *file = open_with(domain, &opts);
	assert_int_equal(host_wait(host_start_truncate(path, 4096)), 0);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	host_expect(domain, PINREG_EVENT_LOST, &event);
	assert_int_equal(pinreg_file_register(file, 0, 0, NULL, NULL, &region), -ESTALE);
}

/* The last call of a preparation; somebody comes during it. */
static int taken_at_the_end(int fd, void *addr, uint64_t length, bool map_sync,
			    struct pinreg_persist **out)
{
	open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct timespec pause = { .tv_nsec = 200000000 };
	nanosleep(&pause, NULL);
	return pinreg_sys_real.persist_open(fd, addr, length, map_sync, out);
}

static struct pinreg_domain *domain_taken(void)
{
	static struct pinreg_sys table;
	struct pinreg_device device;
	struct pinreg_domain *domain;
	host_domain_close(host_domain(0));
	fake_device_use(&device);
	table = pinreg_sys_real;
	table.device_query = fake_device_sys()->device_query;
	table.persist_open = taken_at_the_end;
	test_ok(pinreg_domain_open_with(&table, device.pd, NULL, &domain));
	return domain;
}

static void open__taken_at_the_end_removes_what_was_made(void **state)
{
	(void)state;
	struct pinreg_domain *domain = domain_taken();
	struct pinreg_file_opts opts = cache_ok;
	struct pinreg_file *file = NULL;
	struct pinreg_why why;
	opts.create = 1;
	opts.length = LENGTH;
	strcpy(path, host_path(host_directory(), "new"));
	assert_int_equal(pinreg_file_open(domain, AT_FDCWD, path, &opts, &why, &file), -EBUSY);
	assert_int_equal(why.reason, PINREG_REASON_FILE_TAKEN);
	assert_int_equal(access(path, F_OK), -1);
}

static void open__taken_at_the_end_gives_the_size_back(void **state)
{
	(void)state;
	struct pinreg_domain *domain = domain_taken();
	struct pinreg_file_opts opts = cache_ok;
	struct pinreg_file *file = NULL;
	struct pinreg_why why;
	struct stat now;
	opts.length = 4 * LENGTH;
	make_file();
	assert_int_equal(pinreg_file_open(domain, AT_FDCWD, path, &opts, &why, &file), -EBUSY);
	test_ok(stat(path, &now));
	assert_int_equal(now.st_size, LENGTH);
}

static void restored__counts_the_tail_of_a_block(void **state)
{
	(void)state;
	struct pinreg_domain *domain = host_domain(1);
	struct pinreg_event event;
	make_file();
	open_with(domain, &cache_ok);
	assert_int_equal(host_wait(host_start_truncate(path, LENGTH - 100)), 0);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	assert_int_equal(event.new_size, LENGTH - 100);
	assert_int_equal(event.zeroed, 100);
}

static void restored__counts_on_tmpfs(void **state)
{
	(void)state;
	struct pinreg_domain *domain = host_domain(1);
	struct pinreg_event event;
	snprintf(path, sizeof(path), "/dev/shm/pinreg-review-%d", getpid());
	host_file(path, PAGES);
	open_with(domain, &cache_ok);
	host_wait(host_start_truncate(path, 4096));
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	unlink(path);
	assert_int_equal(event.zeroed, LENGTH - 4096);
}

static void restored__old_size_is_that_of_the_file(void **state)
{
	(void)state;
	struct pinreg_domain *domain = host_domain(1);
	struct pinreg_file_opts opts = cache_ok;
	struct pinreg_event event;
	make_file();
	opts.length = 8192; /* the file stays as long as it is */
	open_with(domain, &opts);
	assert_int_equal(host_run("exec 9<'%s'", path), 0);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	assert_int_equal(event.new_size, LENGTH);
	assert_int_equal(event.old_size, LENGTH);
}

static void describe__plan_of_an_older_caller(void **state)
{
	(void)state;
	struct pinreg_domain *domain = host_domain(0);
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t size = offsetof(struct pinreg_plan, granularity);
	char text[256];
	test_ok(mprotect(pages + 4096, 4096, PROT_NONE));
	/* 8-aligned, nothing behind it */
	struct pinreg_plan *plan = (struct pinreg_plan *)(void *)(pages + 4096 - size);
	memset(plan, 0, size);
	memcpy(plan, &size, sizeof(size));
	test_ok(pinreg_plan(domain, pages, 4096, NULL, plan));
	assert_int_equal(pinreg_plan_describe(plan, text, sizeof(text)), -EINVAL);
	munmap(pages, 8192);
	host_domain_close(domain);
}

static void describe__odp_taken_for_granted(void **state)
{
	(void)state;
	struct pinreg_domain *domain = host_domain(0); /* odp_trust = FULL */
	struct pinreg_region_opts opts = { .size = sizeof(opts), .method = PINREG_METHOD_ODP };
	struct pinreg_plan plan = { .size = sizeof(plan) };
	static char memory[8192];
	char text[256];
	test_ok(pinreg_plan(domain, memory, sizeof(memory), &opts, &plan));
	assert_int_equal(plan.method, PINREG_METHOD_ODP);
	pinreg_plan_describe(&plan, text, sizeof(text));
	print_message("%s\n", text);
	assert_null(strstr(text, "data test")); /* there was none */
	assert_int_equal(plan.why.mtu, 4096);
	host_domain_close(domain);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(commit__plain_file_mapping),
	cmocka_unit_test(register__while_breaking),
	cmocka_unit_test(register__while_waiting_for_a_shorter_file),
	cmocka_unit_test(register__on_a_lost_file),
	cmocka_unit_test(open__taken_at_the_end_removes_what_was_made),
	cmocka_unit_test(open__taken_at_the_end_gives_the_size_back),
	cmocka_unit_test(restored__counts_the_tail_of_a_block),
	cmocka_unit_test(restored__counts_on_tmpfs),
	cmocka_unit_test(restored__old_size_is_that_of_the_file),
	cmocka_unit_test(describe__plan_of_an_older_caller),
	cmocka_unit_test(describe__odp_taken_for_granted),
};

TEST_MAIN(cases)
