/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_recover.c -- who is recovered from, who is not, and what is refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file/record_store.h"
#include "support/hooks.h"
#include "support/test.h"

#define OLD (4u * 4096)
#define GROWN (8u * 4096)

static const struct pinreg_sys *const sys = &pinreg_sys_real;
static char path[128];
static struct pinreg_record_store store;
static struct pinreg_record record;

/*
 * A file that grew from OLD to GROWN, and the record of who did it: this process,
 * with a start that it does not have, so of an earlier one of that number.
 */
static int grown(void **state)
{
	(void)state;
	struct pinreg_file_look look;
	strcpy(path, host_file(host_path(host_directory(), "file"), 4));
	int fd = open(path, O_RDWR | O_CLOEXEC);
	test_ok(ftruncate(fd, GROWN));
	test_ok(sys->file_look(fd, &look));
	record = (struct pinreg_record){
		.phase = PINREG_PHASE_PREPARING,
		.device = look.device,
		.inode = look.inode,
		.born_ns = look.born_ns,
		.old_size = OLD,
		.new_size = GROWN,
	};
	sys->file_generation(fd, &record.generation);
	record.has_flags = !sys->file_flags_get(fd, &record.old_flags);
	close(fd);
	test_ok(pinreg_owner_self(sys, &record.owner));
	record.owner.start--;
	test_ok(pinreg_store_open(&store, sys, AT_FDCWD, path, look.inode));
	return 0;
}

static int end(void **state)
{
	(void)state;
	pinreg_store_close(&store);
	return 0;
}

static uint64_t size_now(void)
{
	struct stat now;
	test_ok(stat(path, &now));
	return (uint64_t)now.st_size;
}

static struct pinreg_recovery_report recovered(enum pinreg_recovery expected)
{
	struct pinreg_recovery_report report = { .size = sizeof(report) };
	struct pinreg_why why;
	int status = pinreg_file_recover(AT_FDCWD, path, &why, &report);
	if (status || report.recovery != expected)
		fail_msg("%d %s, %s", status, pinreg_reason_name(why.reason),
			 pinreg_recovery_name(report.recovery));
	return report;
}

/* Neither recovering nor opening; the file stays as it is. */
static void refused(int error, enum pinreg_reason reason)
{
	struct pinreg_recovery_report report = { .size = sizeof(report) };
	struct pinreg_domain *domain = host_domain(0);
	struct pinreg_file *file = NULL;
	struct pinreg_why why;
	int status = pinreg_file_recover(AT_FDCWD, path, &why, &report);
	if (error != -EBUSY) {
		assert_int_equal(status, error);
		assert_int_equal(why.reason, reason);
	}
	assert_int_equal(pinreg_file_open(domain, AT_FDCWD, path, &hooks_cache_ok, &why, &file),
			 error);
	assert_int_equal(why.reason, reason);
	assert_int_equal(pinreg_file_prepare(AT_FDCWD, path, &hooks_cache_ok, &why, NULL), error);
	assert_int_equal(why.reason, reason);
	assert_int_equal(size_now(), GROWN);
	host_domain_close(domain);
}

static void put(void)
{
	test_ok(pinreg_store_write(&store, &record));
}

static void recover__nothing(void **state)
{
	(void)state;
	recovered(PINREG_RECOVERY_NOTHING);
	assert_int_equal(size_now(), GROWN);
}

static void recover__pid_of_another_process(void **state)
{
	(void)state;
	put();
	struct pinreg_recovery_report report = recovered(PINREG_RECOVERY_UNDONE);
	assert_int_equal(report.pid, getpid());
	assert_int_equal(report.old_size, GROWN);
	assert_int_equal(report.new_size, OLD);
	assert_int_equal(size_now(), OLD);
	recovered(PINREG_RECOVERY_NOTHING);
}

static void recover__another_boot(void **state)
{
	(void)state;
	record.owner.start++;
	record.owner.boot[0] = record.owner.boot[0] == 'a' ? 'b' : 'a';
	record.device++; /* it was found under another number then */
	put();
	recovered(PINREG_RECOVERY_UNDONE);
	assert_int_equal(size_now(), OLD);
}

static void recover__by_who_opens_it_next(void **state)
{
	(void)state;
	struct pinreg_domain *domain = host_domain(0);
	struct pinreg_file_info info = { .size = sizeof(info) };
	struct pinreg_file *file;
	put();
	file = hooks_open(domain, path);
	test_ok(pinreg_file_query(file, &info));
	assert_int_equal(info.length, OLD);
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
	recovered(PINREG_RECOVERY_NOTHING);
}

static void recover__somebody_has_written_since(void **state)
{
	(void)state;
	put();
	test_ok(truncate(path, GROWN + 5));
	recovered(PINREG_RECOVERY_CLEARED);
	assert_int_equal(size_now(), GROWN + 5);
}

static void recover__of_an_earlier_inode(void **state)
{
	(void)state;
	record.born_ns--;
	put();
	recovered(PINREG_RECOVERY_CLEARED);
	assert_int_equal(size_now(), GROWN);
}

static void recover__while_it_is_open_elsewhere(void **state)
{
	(void)state;
	struct pinreg_recovery_report report = { .size = sizeof(report) };
	struct pinreg_why why;
	put();
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pinreg_file_recover(AT_FDCWD, path, &why, &report), -EBUSY);
	assert_int_equal(why.reason, PINREG_REASON_FILE_IN_USE);
	assert_int_equal(size_now(), GROWN);
	close(fd);
	recovered(PINREG_RECOVERY_UNDONE);
}

static void recover__made_file_is_removed(void **state)
{
	(void)state;
	record.created = true;
	record.old_size = 0;
	put();
	recovered(PINREG_RECOVERY_REMOVED);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(errno, ENOENT);
}

static void alive__is_not_robbed(void **state)
{
	(void)state;
	record.owner.start++;
	put();
	struct pinreg_recovery_report report = recovered(PINREG_RECOVERY_ALIVE);
	assert_int_equal(report.pid, getpid());
	refused(-EBUSY, PINREG_REASON_FILE_OWNED);
}

static void alive__in_another_namespace_for_all_we_know(void **state)
{
	(void)state;
	record.owner.space++;
	put();
	recovered(PINREG_RECOVERY_ALIVE);
	refused(-EBUSY, PINREG_REASON_FILE_OWNED);
}

static void untrusted__is_not_believed(void **state)
{
	(void)state;
	char name[192];
	put();
	snprintf(name, sizeof(name), "%.*s/%s", (int)(strrchr(path, '/') - path), path, store.name);
	test_ok(chmod(name, 0622));
	refused(-EPERM, PINREG_REASON_FILE_RECORD_UNTRUSTED);
	test_ok(chmod(name, 0600));
	record.inode++;
	put();
	refused(-EPERM, PINREG_REASON_FILE_RECORD_UNTRUSTED);
}

static void damaged__is_refused(void **state)
{
	(void)state;
	char name[192];
	put();
	snprintf(name, sizeof(name), "%.*s/%s", (int)(strrchr(path, '/') - path), path, store.name);
	test_ok(truncate(name, 100));
	refused(-EBADMSG, PINREG_REASON_FILE_RECORD_BAD);
}

static void arguments__are_checked(void **state)
{
	(void)state;
	struct pinreg_recovery_report report = { .size = sizeof(report) };
	struct pinreg_why why;
	assert_int_equal(pinreg_file_recover(AT_FDCWD, NULL, &why, &report), -EINVAL);
	assert_int_equal(why.reason, PINREG_REASON_BAD_OPTION);
	assert_int_equal(pinreg_file_recover(AT_FDCWD, path, NULL, NULL), -EINVAL);
	report.size = 3;
	assert_int_equal(pinreg_file_recover(AT_FDCWD, path, NULL, &report), -EINVAL);
	assert_int_equal(pinreg_file_seal(AT_FDCWD, NULL, NULL), -EINVAL);
	assert_int_equal(pinreg_file_unseal(AT_FDCWD, NULL, NULL), -EINVAL);
	assert_int_equal(pinreg_file_prepare(AT_FDCWD, NULL, NULL, NULL, NULL), -EINVAL);
	assert_int_equal(pinreg_file_recover(AT_FDCWD, "/nowhere/at/all", NULL, &report), -EINVAL);
	report.size = sizeof(report);
	assert_int_equal(pinreg_file_recover(AT_FDCWD, "/nowhere/at/all", NULL, &report), -ENOENT);
	assert_int_equal(pinreg_file_unseal(AT_FDCWD, path, &why), -ENOENT);
	assert_int_equal(why.reason, PINREG_REASON_FILE_NOT_SEALED);
	struct pinreg_file_opts opts = hooks_cache_ok;
	opts.seal = (enum pinreg_seal)7;
	assert_int_equal(pinreg_file_prepare(AT_FDCWD, path, &opts, &why, NULL), -EINVAL);
	assert_string_equal(pinreg_recovery_name(PINREG_RECOVERY_UNSEALED), "unsealed");
	assert_string_equal(pinreg_recovery_name((enum pinreg_recovery)99), "?");
}

/* Its signals are the caller's own again, and none of ours is left. */
static void signals__are_as_before(void **state)
{
	(void)state;
	sigset_t before, after, pending;
	struct pinreg_file_report report = { .size = sizeof(report) };
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	test_ok(pinreg_file_prepare(AT_FDCWD, path, &hooks_cache_ok, NULL, &report));
	assert_int_equal(report.file_size, GROWN);
	assert_int_equal(report.flaws, 0);
	assert_int_equal(report.immutable, 0);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	for (int number = 1; number < NSIG; number++)
		assert_int_equal(sigismember(&before, number), sigismember(&after, number));
	test_ok(sigpending(&pending));
	assert_true(sigisemptyset(&pending));
	/* the lease is gone: nobody waits */
	assert_int_equal(host_run("timeout 5 cat '%s' > /dev/null", path), 0);
}

static void none__leases_only_while_preparing(void **state)
{
	(void)state;
	struct pinreg_file_opts opts = hooks_cache_ok;
	struct pinreg_domain *domain = host_domain(0);
	struct pinreg_file_info info = { .size = sizeof(info) };
	struct pinreg_event event = { .size = sizeof(event) };
	struct pinreg_file *file;
	opts.seal = PINREG_SEAL_NONE;
	test_ok(pinreg_file_open(domain, AT_FDCWD, path, &opts, NULL, &file));
	struct pinreg_region *region = hooks_register(file);
	assert_int_equal(host_run("timeout 5 cat '%s' > /dev/null", path), 0);
	test_ok(pinreg_file_query(file, &info));
	assert_int_equal(info.state, PINREG_FILE_HELD);
	assert_int_equal(pinreg_domain_next_event(domain, &event), -EAGAIN);
	test_ok(pinreg_region_deregister(region));
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test_setup_teardown(recover__nothing, grown, end),
	cmocka_unit_test_setup_teardown(recover__pid_of_another_process, grown, end),
	cmocka_unit_test_setup_teardown(recover__another_boot, grown, end),
	cmocka_unit_test_setup_teardown(recover__by_who_opens_it_next, grown, end),
	cmocka_unit_test_setup_teardown(recover__somebody_has_written_since, grown, end),
	cmocka_unit_test_setup_teardown(recover__of_an_earlier_inode, grown, end),
	cmocka_unit_test_setup_teardown(recover__while_it_is_open_elsewhere, grown, end),
	cmocka_unit_test_setup_teardown(recover__made_file_is_removed, grown, end),
	cmocka_unit_test_setup_teardown(alive__is_not_robbed, grown, end),
	cmocka_unit_test_setup_teardown(alive__in_another_namespace_for_all_we_know, grown, end),
	cmocka_unit_test_setup_teardown(untrusted__is_not_believed, grown, end),
	cmocka_unit_test_setup_teardown(damaged__is_refused, grown, end),
	cmocka_unit_test_setup_teardown(arguments__are_checked, grown, end),
	cmocka_unit_test_setup_teardown(signals__are_as_before, grown, end),
	cmocka_unit_test_setup_teardown(none__leases_only_while_preparing, grown, end),
};

TEST_MAIN(cases)
