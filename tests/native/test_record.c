/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_record.c -- records: as text, as files that somebody else may have made,
 * and the processes that they name.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file/record_store.h"
#include "support/host.h"
#include "support/test.h"

static const struct pinreg_sys *const sys = &pinreg_sys_real;

static struct pinreg_record largest(void)
{
	struct pinreg_record record = {
		.phase = PINREG_PHASE_PREPARING,
		.created = true,
		.device = UINT64_MAX,
		.inode = UINT64_MAX,
		.generation = UINT64_MAX,
		.born_ns = UINT64_MAX,
		.old_size = INT64_MAX,
		.new_size = INT64_MAX,
		.has_flags = true,
		.old_flags = { .xflags = UINT32_MAX, .extsize = UINT32_MAX },
		.owner = { .pid = INT32_MAX, .start = UINT64_MAX, .space = UINT64_MAX },
	};
	strcpy(record.owner.boot, "01234567-89ab-cdef-0123-456789abcdef");
	return record;
}

static struct pinreg_record standing(void)
{
	return (struct pinreg_record){ .phase = PINREG_PHASE_SEALED, .inode = 7, .device = 1 };
}

static void check_round_trip(const struct pinreg_record *record)
{
	char text[PINREG_RECORD_ROOM];
	struct pinreg_record back;
	size_t length = pinreg_record_format(record, text);
	assert_true(length < 600);
	test_ok(pinreg_record_parse(text, length, &back));
	assert_int_equal(back.phase, record->phase);
	assert_int_equal(back.created, record->created);
	assert_int_equal(back.device, record->device);
	assert_int_equal(back.inode, record->inode);
	assert_int_equal(back.generation, record->generation);
	assert_int_equal(back.born_ns, record->born_ns);
	assert_int_equal(back.old_size, record->old_size);
	assert_int_equal(back.new_size, record->new_size);
	assert_int_equal(back.has_flags, record->has_flags);
	assert_int_equal(back.old_flags.xflags, record->old_flags.xflags);
	assert_int_equal(back.old_flags.extsize, record->old_flags.extsize);
	assert_int_equal(back.owner.pid, record->owner.pid);
	assert_int_equal(back.owner.start, record->owner.start);
	assert_int_equal(back.owner.space, record->owner.space);
	assert_string_equal(back.owner.boot, record->owner.boot);
}

static void text__comes_back(void **state)
{
	(void)state;
	struct pinreg_record record = largest();
	check_round_trip(&record);
	record = standing();
	check_round_trip(&record);
}

/* Whatever the bytes are: no crash (under a sanitizer), and never taken for a record. */
static void text__damaged_anywhere(void **state)
{
	(void)state;
	struct pinreg_record records[] = { largest(), standing() };
	for (size_t r = 0; r < 2; r++) {
		char text[PINREG_RECORD_ROOM], changed[PINREG_RECORD_ROOM];
		struct pinreg_record back;
		size_t length = pinreg_record_format(&records[r], text);
		for (size_t at = 0; at < length; at++) {
			/* cut off, in memory of its own so that reading on is seen */
			char *part = malloc(at ? at : 1);
			assert_non_null(part);
			memcpy(part, text, at);
			assert_int_equal(pinreg_record_parse(part, at, &back), -EBADMSG);
			free(part);
			for (unsigned int value = 0; value < 256; value++) {
				if ((char)value == text[at])
					continue;
				memcpy(changed, text, length);
				changed[at] = (char)value;
				if (pinreg_record_parse(changed, length, &back) != -EBADMSG)
					fail_msg("byte %zu as 0x%02x is taken", at, value);
			}
		}
		text[length] = '\n';
		assert_int_equal(pinreg_record_parse(text, length + 1, &back), -EBADMSG);
	}
}

/* The text of a record with from replaced by to and a right checksum. */
static int parse_changed(const char *from, const char *to)
{
	struct pinreg_record record = standing(), back;
	char text[2 * PINREG_RECORD_ROOM], rest[PINREG_RECORD_ROOM];
	size_t length = pinreg_record_format(&record, text);
	text[length] = 0;
	char *at = strstr(text, from);
	assert_non_null(at);
	strcpy(rest, at + strlen(from));
	strcpy(at, to);
	strcat(at, rest);
	*strstr(text, "checksum") = 0;
	uint64_t hash = 0xcbf29ce484222325;
	for (const char *c = text; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 0x100000001b3;
	snprintf(text + strlen(text), 64, "checksum %016llx\n", (unsigned long long)hash);
	return pinreg_record_parse(text, strlen(text), &back);
}

/* A checksum proves nothing: each value has to be one. */
static void text__wrong_values(void **state)
{
	(void)state;
	static const char *const changes[][2] = {
		{ "record 1", "record 2" },
		{ "phase 2", "phase 3" },
		{ "phase 2", "phase 0" },
		{ "phase 2", "phase 1" }, /* preparing, and nobody does */
		{ "phase 2", "phase  2" },
		{ "created 0", "created 1" },
		{ "created 0", "created 5" },
		{ "device 1", "device 01" },
		{ "device 1", "device +1" },
		{ "device 1", "device -1" },
		{ "device 1", "device " },
		{ "device 1", "device 0x1" },
		{ "device 1", "device 18446744073709551616" },
		{ "device 1", "device 99999999999999999999999" },
		{ "device 1\n", "device 1\ndevice 1\n" },
		{ "device 1\n", "" },
		{ "inode 7", "inode 0" },
		{ "old-size 0", "old-size 9223372036854775808" },
		{ "flags 0 0 0", "flags 0 0" },
		{ "flags 0 0 0", "flags 1 4294967296 0" },
		{ "pid 0", "pid 2147483648" },
		{ "boot -", "boot " },
		{ "boot -", "boot x" },
		{ "boot -", "boot 0123456789012345678901234567890123456789" },
	};
	test_ok(parse_changed("device 1", "device 2"));
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		if (parse_changed(changes[i][0], changes[i][1]) != -EBADMSG)
			fail_msg("'%s' is taken", changes[i][1]);
}

/* A file, and the store of its record. */
static struct pinreg_record_store store;
static struct pinreg_file_look look;
static char where[64], record_path[128];

static int open_store(void **state)
{
	(void)state;
	char path[128];
	strcpy(where, host_directory());
	snprintf(path, sizeof(path), "%s/file", where);
	int fd = open(host_file(path, 1), O_RDONLY | O_CLOEXEC);
	test_ok(fd);
	test_ok(sys->file_look(fd, &look));
	close(fd);
	test_ok(pinreg_store_open(&store, sys, AT_FDCWD, path, look.inode));
	snprintf(record_path, sizeof(record_path), "%s/%s", where, store.name);
	return 0;
}

static int close_store(void **state)
{
	(void)state;
	pinreg_store_close(&store);
	return 0;
}

static struct pinreg_record ours(void)
{
	struct pinreg_record record = {
		.phase = PINREG_PHASE_PREPARING,
		.device = look.device,
		.inode = look.inode,
		.generation = 77,
		.born_ns = look.born_ns,
		.old_size = 4096,
		.new_size = 8192,
	};
	test_ok(pinreg_owner_self(sys, &record.owner));
	return record;
}

static void expect_read(int error, enum pinreg_reason reason)
{
	struct pinreg_record record;
	struct pinreg_why why = { 0 };
	int status = pinreg_store_read(&store, &look, 77, &record, &why);
	if (status != error || why.reason != reason)
		fail_msg("%d, %s %s", status, pinreg_reason_name(why.reason), why.step);
}

static unsigned int names_in_directory(void)
{
	return (unsigned int)host_run("exit $(ls -A '%s' | wc -l)", where);
}

static void store__writes_replaces_and_removes(void **state)
{
	(void)state;
	struct pinreg_record record = ours();
	struct pinreg_record back;
	struct stat file;
	expect_read(-ENOENT, PINREG_REASON_NONE);
	/* what a crash left of an earlier one does no harm */
	assert_int_equal(host_run("echo half > '%s/%s'", where, store.fresh), 0);
	expect_read(-ENOENT, PINREG_REASON_NONE);
	test_ok(pinreg_store_write(&store, &record));
	test_ok(stat(record_path, &file));
	assert_int_equal(file.st_mode & 07777, 0600);
	expect_read(0, PINREG_REASON_NONE);
	record.phase = PINREG_PHASE_SEALED;
	test_ok(pinreg_store_write(&store, &record));
	test_ok(pinreg_store_read(&store, &look, 0, &back, NULL));
	assert_int_equal(back.phase, PINREG_PHASE_SEALED);
	assert_int_equal(names_in_directory(), 2);
	test_ok(pinreg_store_remove(&store));
	test_ok(pinreg_store_remove(&store));
	assert_int_equal(names_in_directory(), 1);
}

static void untrusted__what_others_could_have_made(void **state)
{
	(void)state;
	struct pinreg_record record = ours();
	char other[160];
	snprintf(other, sizeof(other), "%s/other", where);
	test_ok(pinreg_store_write(&store, &record));
	test_ok(chmod(record_path, 0620));
	expect_read(-EPERM, PINREG_REASON_FILE_RECORD_UNTRUSTED);
	test_ok(chmod(record_path, 0602));
	expect_read(-EPERM, PINREG_REASON_FILE_RECORD_UNTRUSTED);
	test_ok(chmod(record_path, 0600));
	expect_read(0, PINREG_REASON_NONE);
	test_ok(link(record_path, other));
	expect_read(-EPERM, PINREG_REASON_FILE_RECORD_UNTRUSTED);
	test_ok(unlink(record_path));
	test_ok(symlink("other", record_path));
	expect_read(-EPERM, PINREG_REASON_FILE_RECORD_UNTRUSTED);
	test_ok(unlink(record_path));
	test_ok(mkfifo(record_path, 0600));
	expect_read(-EPERM, PINREG_REASON_FILE_RECORD_UNTRUSTED);
	test_ok(unlink(record_path));
	test_ok(mkdir(record_path, 0700));
	expect_read(-EPERM, PINREG_REASON_FILE_RECORD_UNTRUSTED);
	test_ok(rmdir(record_path));
}

static void untrusted__of_another_user(void **state)
{
	(void)state;
	if (getuid())
		test_skip("needs root to give a file away");
	struct pinreg_record record = ours();
	test_ok(pinreg_store_write(&store, &record));
	test_ok(chown(record_path, 65534, 65534));
	expect_read(-EPERM, PINREG_REASON_FILE_RECORD_UNTRUSTED);
}

static void untrusted__of_another_inode(void **state)
{
	(void)state;
	struct pinreg_record record = ours();
	record.inode++;
	test_ok(pinreg_store_write(&store, &record));
	expect_read(-EPERM, PINREG_REASON_FILE_RECORD_UNTRUSTED);
	record = ours();
	record.device++;
	test_ok(pinreg_store_write(&store, &record));
	expect_read(-EPERM, PINREG_REASON_FILE_RECORD_UNTRUSTED);
	/* after a boot the same device may have another number */
	record.owner.boot[0] = record.owner.boot[0] == 'a' ? 'b' : 'a';
	test_ok(pinreg_store_write(&store, &record));
	expect_read(0, PINREG_REASON_NONE);
}

/* The number of the inode was used again: the record is of none any more. */
static void stale__of_an_earlier_inode(void **state)
{
	(void)state;
	struct pinreg_record record = ours();
	record.generation++;
	test_ok(pinreg_store_write(&store, &record));
	expect_read(-ESTALE, PINREG_REASON_NONE);
	record = ours();
	record.born_ns++;
	test_ok(pinreg_store_write(&store, &record));
	expect_read(-ESTALE, PINREG_REASON_NONE);
	record.born_ns = 0; /* not known */
	test_ok(pinreg_store_write(&store, &record));
	expect_read(0, PINREG_REASON_NONE);
}

static void damaged__is_told_apart(void **state)
{
	(void)state;
	struct pinreg_record record = ours();
	test_ok(pinreg_store_write(&store, &record));
	assert_int_equal(host_run("echo >> '%s'", record_path), 0);
	expect_read(-EBADMSG, PINREG_REASON_FILE_RECORD_BAD);
	assert_int_equal(host_run(": > '%s'", record_path), 0);
	expect_read(-EBADMSG, PINREG_REASON_FILE_RECORD_BAD);
	assert_int_equal(host_run("head -c 1M /dev/zero > '%s'", record_path), 0);
	expect_read(-EBADMSG, PINREG_REASON_FILE_RECORD_BAD);
}

static void owner__is_alive(void **state)
{
	(void)state;
	struct pinreg_owner self, other;
	struct pinreg_why why;
	test_ok(pinreg_owner_self(sys, &self));
	assert_int_equal(self.pid, getpid());
	assert_true(pinreg_owner_alive(sys, &self));
	other = self; /* the number was given to another process */
	other.start--;
	assert_false(pinreg_owner_alive(sys, &other));
	other = self; /* it died with the machine */
	other.boot[0] = other.boot[0] == 'a' ? 'b' : 'a';
	assert_false(pinreg_owner_alive(sys, &other));
	other = self; /* of a container: not to be known from here */
	other.space++;
	other.start--;
	assert_true(pinreg_owner_alive(sys, &other));
	other = (struct pinreg_owner){ .pid = 0 };
	assert_false(pinreg_owner_alive(sys, &other));
	assert_int_equal(pinreg_owner_refuse(&self, &why), -EBUSY);
	assert_int_equal(why.reason, PINREG_REASON_FILE_OWNED);
	assert_int_equal(why.used, getpid());
}

static void owner__has_died(void **state)
{
	(void)state;
	struct pinreg_owner child;
	int ready[2];
	test_ok(pipe(ready));
	pid_t pid = fork();
	if (!pid) {
		int failed = pinreg_owner_self(sys, &child) != 0;
		_exit(write(ready[1], &child, sizeof(child)) != sizeof(child) || failed);
	}
	assert_int_equal(read(ready[0], &child, sizeof(child)), sizeof(child));
	siginfo_t info;
	test_ok(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
	/* not waited for, so its number is still taken */
	assert_false(pinreg_owner_alive(sys, &child));
	assert_int_equal(host_wait(pid), 0);
	assert_false(pinreg_owner_alive(sys, &child));
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(text__comes_back),
	cmocka_unit_test(text__damaged_anywhere),
	cmocka_unit_test(text__wrong_values),
	cmocka_unit_test_setup_teardown(store__writes_replaces_and_removes, open_store,
					close_store),
	cmocka_unit_test_setup_teardown(untrusted__what_others_could_have_made, open_store,
					close_store),
	cmocka_unit_test_setup_teardown(untrusted__of_another_user, open_store, close_store),
	cmocka_unit_test_setup_teardown(untrusted__of_another_inode, open_store, close_store),
	cmocka_unit_test_setup_teardown(stale__of_an_earlier_inode, open_store, close_store),
	cmocka_unit_test_setup_teardown(damaged__is_told_apart, open_store, close_store),
	cmocka_unit_test(owner__is_alive),
	cmocka_unit_test(owner__has_died),
};

TEST_MAIN(cases)
