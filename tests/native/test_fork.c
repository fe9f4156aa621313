/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_fork.c -- what a child has of its parent's files, and what it may do.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "domain.h"
#include "support/hooks.h"
#include "support/test.h"

#define ROOM 512

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif
#ifdef __SANITIZE_THREAD__
#define CHILD_MAY_HAVE_THREADS false /* ThreadSanitizer ends it where it starts one */
#else
#define CHILD_MAY_HAVE_THREADS true
#endif

/* Which descriptors are open? */
static void look_at_descriptors(bool open[ROOM])
{
	for (int fd = 0; fd < ROOM; fd++)
		open[fd] = fcntl(fd, F_GETFD) >= 0;
}

static void fork__child_has_none_of_the_descriptors(void **state)
{
	(void)state;
	bool before[ROOM], with[ROOM], in_child[ROOM];
	struct pinreg_backing *backing = NULL;
	unsigned int ours = 0;
	hooks_files();
	/* the one of the memory map stays open in a process */
	test_ok(pinreg_backing_query(before, sizeof(before), &backing));
	pinreg_backing_free(backing);
	look_at_descriptors(before);
	struct pinreg_domain *domain = hooks_domain(0);
	struct pinreg_file *file = hooks_open(domain, hooks_a);
	struct pinreg_region *region = hooks_register(file);
	look_at_descriptors(with);
	for (int fd = 0; fd < ROOM; fd++)
		ours += with[fd] && !before[fd];
	assert_true(ours >= 5); /* the file, its directory, and what the watcher sleeps on */

	pid_t child = host_fork();
	if (!child) {
		look_at_descriptors(in_child);
		assert_memory_equal(in_child, before, sizeof(before));
		_exit(0);
	}
	assert_int_equal(host_wait(child), 0);
	look_at_descriptors(in_child); /* and the parent has them all */
	assert_memory_equal(in_child, with, sizeof(with));
	test_ok(pinreg_region_deregister(region));
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
	look_at_descriptors(in_child);
	assert_memory_equal(in_child, before, sizeof(before));
}

static bool is_mapped(const void *addr)
{
	unsigned char resident;
	return !mincore((void *)((uintptr_t)addr & ~(uintptr_t)4095), 4096, &resident);
}

/* A mapping keeps the file open; and a shadow, which is pinned, would be copied. */
static void fork__child_has_none_of_the_mappings(void **state)
{
	(void)state;
	struct pinreg_region_opts staged = {
		.size = sizeof(staged),
		.method = PINREG_METHOD_STAGED,
	};
	struct pinreg_file_info info = { .size = sizeof(info) };
	struct pinreg_keys keys = { .size = sizeof(keys) };
	struct pinreg_region *region = NULL;
	hooks_files();
	struct pinreg_domain *domain = hooks_domain(0);
	struct pinreg_file *file = hooks_open(domain, hooks_a);
	test_ok(pinreg_file_register(file, 0, 0, &staged, NULL, &region));
	test_ok(pinreg_file_query(file, &info));
	test_ok(pinreg_region_keys(region, &keys));
	const void *shadow = (const void *)(uintptr_t)keys.addr;
	assert_ptr_not_equal(shadow, info.addr);
	pid_t child = host_fork();
	if (!child) {
		assert_false(is_mapped(info.addr));
		assert_false(is_mapped(shadow));
		_exit(0);
	}
	assert_int_equal(host_wait(child), 0);
	assert_true(is_mapped(info.addr));
	assert_true(is_mapped(shadow));
	test_ok(pinreg_region_deregister(region));
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

static void refuse_everything(struct pinreg_domain *domain, struct pinreg_file *file,
			      struct pinreg_region *region)
{
	struct pinreg_domain_info info = { .size = sizeof(info) };
	struct pinreg_trust_report report = { .size = sizeof(report) };
	struct pinreg_event event = { .size = sizeof(event) };
	struct pinreg_plan plan = { .size = sizeof(plan) };
	struct pinreg_file_info file_info = { .size = sizeof(file_info) };
	struct pinreg_keys keys = { .size = sizeof(keys) };
	struct pinreg_region_info region_info = { .size = sizeof(region_info) };
	struct pinreg_file *other = NULL;
	struct pinreg_region *more = NULL;
	struct pinreg_descriptor descriptor = { .size = sizeof(descriptor) };
	unsigned char bytes[PINREG_DESCRIPTOR_LENGTH];
	struct pinreg_why why;
	assert_int_equal(pinreg_domain_query(domain, &info), -EPERM);
	assert_int_equal(pinreg_domain_test_odp(domain, &report), -EPERM);
	assert_int_equal(pinreg_domain_event_fd(domain), -EPERM);
	assert_int_equal(pinreg_domain_next_event(domain, &event), -EPERM);
	assert_int_equal(pinreg_plan(domain, &plan, sizeof(plan), NULL, &plan), -EPERM);
	assert_int_equal(pinreg_region_register(domain, &plan, sizeof(plan), NULL, &why, &more),
			 -EPERM);
	assert_int_equal(why.reason, PINREG_REASON_FORKED);
	assert_int_equal(pinreg_region_register_dmabuf(domain, 0, 0, 4096, NULL, &why, &more),
			 -EPERM);
	assert_int_equal(why.reason, PINREG_REASON_FORKED);
	assert_int_equal(pinreg_file_open(domain, AT_FDCWD, hooks_b, &hooks_cache_ok, &why, &other),
			 -EPERM);
	assert_int_equal(why.reason, PINREG_REASON_FORKED);
	assert_int_equal(pinreg_file_register(file, 0, 0, NULL, &why, &more), -EPERM);
	assert_int_equal(why.reason, PINREG_REASON_FORKED);
	assert_int_equal(pinreg_file_query(file, &file_info), -EPERM);
	assert_int_equal(pinreg_file_ack(file, 1), -EPERM);
	assert_int_equal(pinreg_region_keys(region, &keys), -EPERM);
	assert_int_equal(pinreg_region_query(region, &region_info), -EPERM);
	assert_int_equal(pinreg_region_commit(region, 0, 4096), -EPERM);
	assert_int_equal(pinreg_region_refresh(region, 0, 4096), -EPERM);
	assert_int_equal(pinreg_region_describe(region, &descriptor), -EPERM);
	assert_int_equal(pinreg_region_export(region, bytes, sizeof(bytes)), -EPERM);
	assert_int_equal(pinreg_region_export_revoked(region, 1, 0, bytes, sizeof(bytes)), -EPERM);
	assert_int_equal(pinreg_region_enter(region, &keys), -EPERM);
	pinreg_region_exit(region);
	assert_int_equal(pinreg_region_deregister(region), -EPERM);
	assert_int_equal(pinreg_file_close(file), -EPERM);
	assert_int_equal(pinreg_domain_close(domain), -EPERM);
	assert_null(other);
	assert_null(more);
}

/* The calls that would reach the parent's device or lease. */
static _Atomic(unsigned int) reached;

static int count_deregister(struct ibv_mr *mr)
{
	atomic_fetch_add(&reached, 1);
	return fake_device_sys()->mr_deregister(mr);
}

static int count_lease_get(int fd, int *type)
{
	atomic_fetch_add(&reached, 1);
	return pinreg_sys_real.lease_get(fd, type);
}

static void fork__child_may_touch_nothing(void **state)
{
	(void)state;
	struct pinreg_event event;
	hooks = (struct pinreg_sys){ .mr_deregister = count_deregister,
				     .lease_get = count_lease_get };
	hooks_files();
	struct pinreg_domain *domain = hooks_domain(0);
	struct pinreg_file *file = hooks_open(domain, hooks_a);
	struct pinreg_region *region = hooks_register(file);
	pid_t child = host_fork();
	if (!child) {
		unsigned int before = atomic_load(&reached);
		refuse_everything(domain, file, region);
		assert_int_equal(atomic_load(&reached), before);
		_exit(0);
	}
	assert_int_equal(host_wait(child), 0);
	/* nothing has happened to the lease: it is broken and comes back */
	assert_int_equal(host_run("exec 9>>'%s'", hooks_a), 0);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	test_ok(pinreg_region_deregister(region));
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

static void use_a_file(struct pinreg_domain *domain, const char *path)
{
	struct pinreg_event event;
	struct pinreg_file *file = hooks_open(domain, path);
	struct pinreg_region *region = hooks_register(file);
	assert_int_equal(host_run("exec 9>>'%s'", path), 0);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	test_ok(pinreg_region_deregister(region));
	test_ok(pinreg_file_close(file));
}

static void fork__child_opens_a_domain_of_its_own(void **state)
{
	(void)state;
	struct pinreg_domain_info info = { .size = sizeof(info) };
	if (!CHILD_MAY_HAVE_THREADS)
		test_skip("a child cannot have threads under ThreadSanitizer");
	hooks_files();
	struct pinreg_domain *domain = hooks_domain(0);
	struct pinreg_file *file = hooks_open(domain, hooks_a);
	pid_t child = host_fork();
	if (!child) {
		struct pinreg_domain *own = hooks_domain(0);
		use_a_file(own, hooks_b);
		pid_t grandchild = host_fork();
		if (!grandchild) {
			assert_int_equal(pinreg_domain_query(own, &info), -EPERM);
			assert_int_equal(pinreg_domain_query(domain, &info), -EPERM);
			_exit(0);
		}
		assert_int_equal(host_wait(grandchild), 0);
		use_a_file(own, hooks_b);
		test_ok(pinreg_domain_close(own));
		_exit(0);
	}
	assert_int_equal(host_wait(child), 0);
	test_ok(pinreg_domain_query(domain, &info));
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

/* ---- the owner is killed, and a child of his lives on ---- */

static void own_and_fork(int tell)
{
	struct pinreg_domain *domain = hooks_domain(0);
	hooks_register(hooks_open(domain, hooks_a));
	pid_t child = host_fork();
	if (!child) {
		/* he tells himself: by then he has closed what he must not keep */
		child = getpid();
		assert_int_equal(write(tell, &child, sizeof(child)), sizeof(child));
		sleep(25);
		_exit(0);
	}
	pause();
}

static void fork__lease_ends_with_a_killed_parent(void **state)
{
	(void)state;
	int told[2];
	pid_t child;
	hooks_files();
	test_ok(pipe2(told, O_CLOEXEC));
	pid_t owner = host_fork();
	if (!owner) {
		own_and_fork(told[1]);
		_exit(1);
	}
	assert_int_equal(read(told[0], &child, sizeof(child)), sizeof(child));
	kill(owner, SIGKILL);
	assert_int_equal(host_wait(owner), 128 + SIGKILL);
	test_ok(kill(child, 0));
	/* a lease that is still there makes an opener wait, and this one not even begin */
	int fd = open(hooks_a, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int error = errno;
	kill(child, SIGKILL);
	if (fd < 0)
		fail_msg("the file cannot be opened: %s", strerror(error));
	test_ok(fcntl(fd, F_SETLEASE, F_WRLCK)); /* nobody has it, mapped or open */
	close(fd);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(fork__child_has_none_of_the_descriptors),
	cmocka_unit_test(fork__child_has_none_of_the_mappings),
	cmocka_unit_test(fork__child_may_touch_nothing),
	cmocka_unit_test(fork__child_opens_a_domain_of_its_own),
	cmocka_unit_test(fork__lease_ends_with_a_killed_parent),
};

TEST_MAIN(cases)
