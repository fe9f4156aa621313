/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_seal.c -- what each level of a seal stops, filesystem by filesystem.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/host.h"
#include "support/rdma.h"
#include "support/spare.h"
#include "support/test.h"
#include "sys/sys.h"

#define LENGTH (64u * 4096)

/* Where it is tried. */
static const struct place {
	const char *directory;
	const char *spare; /* what is made there, or NULL */
	bool cache;
	bool own_calls; /* the flag stops pwrite and ftruncate of who has it open */
	bool kills;	/* and kills who stores through a mapping */
} places[] = {
	{ "/pmem/ext4", NULL, false, true, false },
	{ "/pmem/xfs", NULL, false, false, false },
	{ "/run/seal", NULL, true, false, false },
	{ SPARE, "xfs -- dax=never", true, false, false },
	{ SPARE, "ext4 -- dax=never", true, true, true },
};
#define PLACES (sizeof(places) / sizeof(places[0]))

static char path[128], other[160];

/* An empty place for path. */
static void enter(const struct place *place)
{
	if (place->spare)
		spare_make(512, place->spare);
	else if (!strcmp(place->directory, "/run/seal"))
		assert_int_equal(host_run("mkdir -p /run/seal && { mountpoint -q /run/seal || "
					  "mount -t tmpfs -o size=64m seal /run/seal; }"),
				 0);
	snprintf(path, sizeof(path), "%s/seal-%d", place->directory, getpid());
	snprintf(other, sizeof(other), "%s-other", path);
}

static void leave(void)
{
	assert_int_equal(host_run("rm -f '%s' '%s'", path, other), 0);
}

static bool is_sealed(void)
{
	/* not by opening it: that would break the lease */
	struct statx look;
	test_ok(statx(AT_FDCWD, path, 0, STATX_BASIC_STATS, &look));
	return look.stx_attributes & STATX_ATTR_IMMUTABLE;
}

/* Does the filesystem take the flag? Before 6.6 tmpfs did not. */
static bool takes_flag(const struct place *place)
{
	struct pinreg_file_flags flags;
	int fd = open(place->directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	test_ok(fd);
	int status = pinreg_sys_real.file_flags_get(fd, &flags);
	flags.xflags |= FS_XFLAG_IMMUTABLE;
	if (!status)
		status = pinreg_sys_real.file_flags_set(fd, &flags);
	close(fd);
	return !status;
}

static int try_open(struct pinreg_domain *domain, const struct place *place, enum pinreg_seal seal,
		    struct pinreg_why *why, struct pinreg_file **file)
{
	struct pinreg_file_opts opts = {
		.size = sizeof(opts),
		.length = LENGTH,
		.create = 1,
		.allow_page_cache = place->cache,
		.seal = seal,
	};
	return pinreg_file_open(domain, AT_FDCWD, path, &opts, why, file);
}

static struct pinreg_file *open_ok(struct pinreg_domain *domain, const struct place *place,
				   enum pinreg_seal seal)
{
	struct pinreg_file *file = NULL;
	struct pinreg_why why;
	if (try_open(domain, place, seal, &why, &file))
		fail_msg("%s: %s", path, rdma_sentence(&why));
	return file;
}

static unsigned char *memory_of(struct pinreg_file *file)
{
	struct pinreg_file_info info = { .size = sizeof(info) };
	test_ok(pinreg_file_query(file, &info));
	assert_int_equal(info.state, PINREG_FILE_HELD);
	return info.addr;
}

static void no_event(struct pinreg_domain *domain)
{
	struct pinreg_event event = { .size = sizeof(event) };
	usleep(50000);
	assert_int_equal(pinreg_domain_next_event(domain, &event), -EAGAIN);
}

static void expect_errno(int result, int error)
{
	assert_int_equal(result < 0 ? errno : 0, error);
}

static void immutable__stops_all_but_readers(void **state)
{
	(void)state;
	for (size_t i = 0; i < PLACES; i++) {
		const struct place *place = &places[i];
		enter(place);
		struct pinreg_domain *domain = host_domain(1);
		struct pinreg_file *file = NULL;
		struct pinreg_event event;
		struct pinreg_why why;
		if (place->kills || !takes_flag(place)) {
			assert_int_equal(
				try_open(domain, place, PINREG_SEAL_IMMUTABLE, &why, &file),
				-EOPNOTSUPP);
			assert_int_equal(why.reason, PINREG_REASON_FILE_SEAL_UNSUPPORTED);
			assert_int_equal(access(path, F_OK), -1);
			host_domain_close(domain);
			continue;
		}
		file = open_ok(domain, place, PINREG_SEAL_IMMUTABLE);
		assert_true(is_sealed());
		expect_errno(open(path, O_WRONLY | O_CLOEXEC), EPERM);
		expect_errno(open(path, O_RDWR | O_CLOEXEC), EPERM);
		expect_errno(truncate(path, 0), EPERM);
		expect_errno(unlink(path), EPERM);
		expect_errno(rename(path, other), EPERM);
		expect_errno(link(path, other), EPERM);
		expect_errno(chmod(path, 0644), EPERM);
		no_event(domain);
		memory_of(file)[5] = 55; /* we may, and so may peers */
		test_ok(msync(memory_of(file), 4096, MS_SYNC));

		/* a reader is let in; meanwhile it is not sealed */
		int reader =
			host_start("exec 3< '%s'; lsattr -l '%s' | grep -q Immutable && exit 3; "
				   "dd bs=1 skip=5 count=1 <&3 2>/dev/null | grep -q 7",
				   path, path);
		host_expect(domain, PINREG_EVENT_BREAK, &event);
		assert_int_equal(event.breaker, PINREG_BREAKER_READER);
		host_expect(domain, PINREG_EVENT_FENCED, &event);
		assert_int_equal(host_wait(reader), 0);
		host_expect(domain, PINREG_EVENT_RESTORED, &event);
		no_event(domain);
		assert_int_equal(memory_of(file)[5], 55);
		assert_true(is_sealed());
		test_ok(pinreg_file_close(file));
		assert_false(is_sealed());
		host_domain_close(domain);
		assert_int_equal(host_run("ls -A '%s' | grep -q ^.pinreg-", place->directory), 1);
		leave();
	}
}

static void lease__stops_opens_until_it_is_fenced(void **state)
{
	(void)state;
	for (size_t i = 0; i < PLACES; i++) {
		enter(&places[i]);
		struct pinreg_domain *domain = host_domain(1);
		struct pinreg_file *file = open_ok(domain, &places[i], PINREG_SEAL_LEASE);
		struct pinreg_event event;
		assert_false(is_sealed());
		test_ok(chmod(path, 0644));
		test_ok(link(path, other));
		test_ok(unlink(other));
		test_ok(rename(path, other));
		test_ok(rename(other, path));
		no_event(domain);
		int writer = host_start("exec 3<> '%s'", path);
		host_expect(domain, PINREG_EVENT_BREAK, &event);
		assert_int_equal(event.breaker, PINREG_BREAKER_WRITER);
		host_expect(domain, PINREG_EVENT_FENCED, &event);
		assert_int_equal(host_wait(writer), 0);
		host_expect(domain, PINREG_EVENT_RESTORED, &event);
		test_ok(pinreg_file_close(file));
		host_domain_close(domain);
		leave();
	}
}

static void none__stops_nobody(void **state)
{
	(void)state;
	for (size_t i = 0; i < PLACES; i++) {
		enter(&places[i]);
		struct pinreg_domain *domain = host_domain(1);
		struct pinreg_file *file = open_ok(domain, &places[i], PINREG_SEAL_NONE);
		int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
		test_ok(fd);
		close(fd);
		no_event(domain);
		memory_of(file)[0] = 1;
		test_ok(pinreg_file_close(file));
		host_domain_close(domain);
		leave();
	}
}

/* What a process may do to a sealed file that it has open and mapped. */
struct own {
	int write, resize, punch;
	bool killed;
};

static struct own try_own(void)
{
	struct own own = { 0 };
	struct pinreg_file_flags flags;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	test_ok(posix_fallocate(fd, 0, LENGTH));
	unsigned char *map = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	test_ok(pinreg_sys_real.file_flags_get(fd, &flags));
	flags.xflags |= FS_XFLAG_IMMUTABLE;
	test_ok(pinreg_sys_real.file_flags_set(fd, &flags));
	own.write = pwrite(fd, "x", 1, 0) < 0 ? errno : 0;
	own.punch = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) ? errno : 0;
	own.resize = ftruncate(fd, LENGTH / 2) ? errno : 0;
	pid_t child = fork();
	if (!child) {
		signal(SIGBUS, SIG_DFL);
		((volatile unsigned char *)map)[8192] = 1;
		_exit(0);
	}
	int status;
	test_ok(waitpid(child, &status, 0));
	own.killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS;
	flags.xflags &= ~(uint32_t)FS_XFLAG_IMMUTABLE;
	test_ok(pinreg_sys_real.file_flags_set(fd, &flags));
	munmap(map, LENGTH);
	close(fd);
	return own;
}

/* The table in docs/kernel-facts.md. */
static void flag__and_who_has_the_file_open(void **state)
{
	(void)state;
	for (size_t i = 0; i < PLACES; i++) {
		const struct place *place = &places[i];
		enter(place);
		if (takes_flag(place)) {
			struct own own = try_own();
			print_message("%s %s: pwrite %d, ftruncate %d, punch %d, store %s\n",
				      place->directory, place->spare ? place->spare : "", own.write,
				      own.resize, own.punch, own.killed ? "SIGBUS" : "allowed");
			assert_int_equal(own.write, place->own_calls ? EPERM : 0);
			assert_int_equal(own.resize, place->own_calls ? EPERM : 0);
			assert_int_equal(own.punch, EPERM);
			assert_int_equal(own.killed, place->kills);
		}
		leave();
	}
}

/* Without the capability, but as root. */
static void drop_capability(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	test_ok(syscall(SYS_capget, &head, data));
	data[0].effective &= ~(1u << CAP_LINUX_IMMUTABLE);
	test_ok(syscall(SYS_capset, &head, data));
}

static void right__is_missing(void **state)
{
	(void)state;
	drop_capability();
	for (size_t i = 0; i < 2; i++) {
		struct pinreg_domain *domain = host_domain(1);
		struct pinreg_file *file = NULL;
		struct pinreg_why why;
		enter(&places[i]);
		assert_int_equal(try_open(domain, &places[i], PINREG_SEAL_IMMUTABLE, &why, &file),
				 -EPERM);
		assert_int_equal(why.reason, PINREG_REASON_FILE_SEAL_RIGHT);
		assert_non_null(strstr(rdma_sentence(&why), "PINREG_SEAL_LEASE"));
		assert_int_equal(access(path, F_OK), -1);
		file = open_ok(domain, &places[i], PINREG_SEAL_LEASE);
		test_ok(pinreg_file_close(file));
		assert_int_equal(pinreg_file_seal(AT_FDCWD, path, &why), -EPERM);
		assert_int_equal(why.reason, PINREG_REASON_FILE_SEAL_RIGHT);
		host_domain_close(domain);
		leave();
	}
}

static void standing__stays_until_it_is_taken_off(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct pinreg_file_opts opts = {
			.size = sizeof(opts),
			.length = LENGTH,
			.create = 1,
			.seal = PINREG_SEAL_IMMUTABLE,
		};
		struct pinreg_file_report report = { .size = sizeof(report) };
		struct pinreg_why why;
		enter(&places[i]);
		if (pinreg_file_prepare(AT_FDCWD, path, &opts, &why, &report))
			fail_msg("%s: %s", path, rdma_sentence(&why));
		assert_int_equal(report.immutable, 1);
		assert_true(is_sealed());
		/* it may be read, and looked at */
		assert_int_equal(host_run("cat '%s' > /dev/null", path), 0);
		test_ok(pinreg_file_verify(AT_FDCWD, path, NULL, NULL, &why, &report));
		assert_int_equal(report.flaws, 0);
		test_ok(pinreg_file_seal(AT_FDCWD, path, &why));
		assert_true(is_sealed());
		test_ok(pinreg_file_unseal(AT_FDCWD, path, &why));
		assert_false(is_sealed());
		assert_int_equal(pinreg_file_unseal(AT_FDCWD, path, &why), -ENOENT);
		assert_int_equal(why.reason, PINREG_REASON_FILE_NOT_SEALED);
		leave();
	}
}

static void unprepared__is_not_sealed(void **state)
{
	(void)state;
	struct pinreg_why why;
	enter(&places[0]);
	assert_int_equal(host_run("truncate -s 1M '%s'", path), 0);
	assert_int_equal(pinreg_file_seal(AT_FDCWD, path, &why), -EIO);
	assert_int_equal(why.reason, PINREG_REASON_FILE_EXTENTS);
	assert_int_equal(why.length, 1 << 20);
	assert_false(is_sealed());
	leave();
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test_teardown(immutable__stops_all_but_readers, spare_remove),
	cmocka_unit_test_teardown(lease__stops_opens_until_it_is_fenced, spare_remove),
	cmocka_unit_test_teardown(none__stops_nobody, spare_remove),
	cmocka_unit_test_teardown(flag__and_who_has_the_file_open, spare_remove),
	cmocka_unit_test(right__is_missing),
	cmocka_unit_test(standing__stays_until_it_is_taken_off),
	cmocka_unit_test(unprepared__is_not_sealed),
};

TEST_MAIN(cases)
