/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_reasons.c -- that some test reaches each reason, and the two that need a
 * file system which answers as no good one does.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "domain.h"
#include "support/fake_device.h"
#include "support/host.h"
#include "support/rdma.h"
#include "support/test.h"

#define NAMES_MAX 128

static struct pinreg_sys table;

static int no_leases(int fd, int signal, pid_t thread)
{
	(void)fd;
	(void)signal;
	(void)thread;
	return -EINVAL;
}

/* Whatever is done to the file, its second half has no place yet. */
static int half_unknown(int fd, struct fiemap *map)
{
	struct stat file;
	test_ok(fstat(fd, &file));
	uint64_t half = (uint64_t)file.st_size / 2;
	assert_true(map->fm_extent_count >= 2);
	map->fm_extents[0] = (struct fiemap_extent){ .fe_physical = 1 << 20, .fe_length = half };
	map->fm_extents[1] = (struct fiemap_extent){
		.fe_logical = half,
		.fe_physical = 2 << 20,
		.fe_length = half,
		.fe_flags = FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_LAST,
	};
	map->fm_mapped_extents = 2;
	return 0;
}

/* Opening a good file on the table gives that error. */
static struct pinreg_why open_refused(int error)
{
	struct pinreg_file_opts opts = { .size = sizeof(opts), .allow_page_cache = 1 };
	struct pinreg_domain *domain = NULL;
	struct pinreg_file *file = NULL;
	struct pinreg_device device;
	struct pinreg_why why;
	const char *path = host_file(host_path(host_directory(), "file"), 16);
	fake_device_reset();
	fake_device_use(&device);
	test_ok(pinreg_domain_open_with(&table, device.pd, NULL, &domain));
	assert_int_equal(pinreg_file_open(domain, AT_FDCWD, path, &opts, &why, &file), error);
	assert_null(file);
	test_ok(pinreg_domain_close(domain));
	return why;
}

static void table_reset(void)
{
	table = pinreg_sys_real;
	table.device_query = fake_device_sys()->device_query;
	table.port_query = fake_device_sys()->port_query;
}

static void file__no_leases(void **state)
{
	(void)state;
	table_reset();
	table.lease_take = no_leases;
	struct pinreg_why why = open_refused(-EOPNOTSUPP);
	assert_int_equal(why.reason, PINREG_REASON_FILE_LEASE_UNSUPPORTED);
	assert_int_equal(why.os_error, EINVAL);
}

static void file__extents_that_stay_wrong(void **state)
{
	(void)state;
	table_reset();
	table.file_extents = half_unknown;
	struct pinreg_why why = open_refused(-EIO);
	assert_int_equal(why.reason, PINREG_REASON_FILE_EXTENTS);
	assert_int_equal(why.addr, 8 * 4096);
	assert_int_equal(why.length, 8 * 4096);
	assert_non_null(strstr(rdma_sentence(&why), "offset 32768"));
}

/* All of a file of the checkout, ended by a zero. */
static char *read_source(const char *folder, const char *name)
{
	const char *source = getenv("PINREG_SOURCE_DIR");
	char path[1024];
	struct stat file;
	if (!source)
		test_skip("PINREG_SOURCE_DIR is not set");
	snprintf(path, sizeof(path), "%s/%s/%s", source, folder, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	test_ok(fd);
	test_ok(fstat(fd, &file));
	char *text = calloc(1, (size_t)file.st_size + 1);
	assert_non_null(text);
	assert_int_equal(read(fd, text, (size_t)file.st_size), file.st_size);
	close(fd);
	return text;
}

/* The word at text, that begins with PINREG_REASON_, and its end. */
static const char *take_name(const char *text, char *name, size_t room)
{
	size_t length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
	assert_true(length < room);
	memcpy(name, text, length);
	name[length] = 0;
	return text + length;
}

static void mark_used(char names[][64], bool *used, size_t count, const char *folder)
{
	char path[1024], name[64];
	snprintf(path, sizeof(path), "%s/%s", getenv("PINREG_SOURCE_DIR"), folder);
	DIR *directory = opendir(path);
	const struct dirent *entry;
	assert_non_null(directory);
	while ((entry = readdir(directory))) {
		const char *end = strrchr(entry->d_name, '.');
		if (!end || strcmp(end, ".c"))
			continue;
		char *text = read_source(folder, entry->d_name);
		const char *at = text;
		while ((at = strstr(at, "PINREG_REASON_"))) {
			at = take_name(at, name, sizeof(name));
			for (size_t i = 0; i < count; i++)
				used[i] |= !strcmp(names[i], name);
		}
		free(text);
	}
	closedir(directory);
}

/* In the tests a reason is named where it is what came out. */
static void reasons__each_is_expected_by_some_test(void **state)
{
	(void)state;
	static char names[NAMES_MAX][64];
	bool used[NAMES_MAX] = { false };
	size_t count = 0;
	unsigned int missing = 0;
	char *header = read_source("include/pinreg", "reason.h");
	const char *at = header;
	while ((at = strstr(at, "\tPINREG_REASON_")) && count < NAMES_MAX)
		at = take_name(at + 1, names[count++], sizeof(names[0]));
	free(header);
	assert_true(count > 50);
	mark_used(names, used, count, "tests/native");
	mark_used(names, used, count, "tests/guest");
	for (size_t i = 0; i < count; i++) {
		if (used[i] || !strcmp(names[i], "PINREG_REASON_NONE"))
			continue;
		printf("no test expects %s\n", names[i]);
		missing++;
	}
	assert_int_equal(missing, 0);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(file__no_leases),
	cmocka_unit_test(file__extents_that_stay_wrong),
	cmocka_unit_test(reasons__each_is_expected_by_some_test),
};

TEST_MAIN(cases)
