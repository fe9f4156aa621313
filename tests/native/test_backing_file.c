/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_backing_file.c -- mappings of files, wherever their names lead.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "support/runs.h"
#include "support/test.h"
#include "sys/maps_text.h"

#define SHARED PINREG_RUN_SHARED

/* A folder of its own on a file system with a page cache. */
struct place {
	char folder[64];
	char path[PATH_MAX];
	int fd;
	char *memory;
};

static struct place place;

static int make_place(void **state)
{
	(void)state;
	snprintf(place.folder, sizeof(place.folder), "/var/tmp/pinreg-test-XXXXXX");
	place.fd = -1;
	return mkdtemp(place.folder) ? 0 : -1;
}

static int remove_place(void **state)
{
	(void)state;
	unlink(place.path);
	return rmdir(place.folder);
}

/* A file of three pages with that name, mapped. */
static void make_file(const char *name, int prot, int flags)
{
	struct statfs filesystem;
	test_ok(statfs(place.folder, &filesystem));
	if (filesystem.f_type == TMPFS_MAGIC)
		test_skip("/var/tmp has no page cache of its own: it is a tmpfs");
	place.fd = file_in(place.folder, name, 3 * page_size(), place.path, sizeof(place.path));
	place.memory = map_or_fail(page_size(), prot, flags, place.fd);
}

static struct pinreg_run expect_kind(enum pinreg_kind kind)
{
	return expect_one(place.memory, page_size(), kind, READ_WRITE,
			  kind == PINREG_KIND_PRIVATE_FILE ? 0 : SHARED);
}

static void file__shared_read_write(void **state)
{
	(void)state;
	make_file("file", PROT_READ | PROT_WRITE, MAP_SHARED);
	close(place.fd);
	struct pinreg_run run = expect_kind(PINREG_KIND_PAGECACHE);
	assert_int_equal(run.file_size, 3 * page_size());
	assert_int_equal(run.file_offset, 0);
}

static void file__shared_read_only(void **state)
{
	(void)state;
	make_file("file", PROT_READ, MAP_SHARED);
	expect_one(place.memory, page_size(), PINREG_KIND_PAGECACHE, PINREG_PROT_READ, SHARED);
}

static void file__private(void **state)
{
	(void)state;
	make_file("file", PROT_READ | PROT_WRITE, MAP_PRIVATE);
	expect_kind(PINREG_KIND_PRIVATE_FILE);
}

static void file__space_and_newline_in_the_name(void **state)
{
	(void)state;
	make_file(" a\nb  c (deleted)", PROT_READ | PROT_WRITE, MAP_SHARED);
	close(place.fd);
	expect_kind(PINREG_KIND_PAGECACHE);
}

/* The text form shows this name and one with a newline alike: the inode decides. */
static void file__backslash_in_the_name(void **state)
{
	(void)state;
	make_file("a\\012b", PROT_READ | PROT_WRITE, MAP_SHARED);
	expect_kind(PINREG_KIND_PAGECACHE);
}

static void file__renamed(void **state)
{
	(void)state;
	make_file("file", PROT_READ | PROT_WRITE, MAP_SHARED);
	close(place.fd);
	char other[PATH_MAX + 8];
	snprintf(other, sizeof(other), "%s-moved", place.path);
	test_ok(rename(place.path, other));
	expect_kind(PINREG_KIND_PAGECACHE);
	unlink(other);
}

static void file__another_took_its_name(void **state)
{
	(void)state;
	make_file("file", PROT_READ | PROT_WRITE, MAP_SHARED);
	test_ok(unlink(place.path));
	int other = file_in(place.folder, "file (deleted)", 1, place.path, sizeof(place.path));
	struct pinreg_run run = expect_kind(PINREG_KIND_PAGECACHE);
	assert_int_equal(run.file_size, 3 * page_size());
	close(other);
}

static void file__deleted_but_open(void **state)
{
	(void)state;
	make_file("file", PROT_READ | PROT_WRITE, MAP_SHARED);
	test_ok(unlink(place.path));
	struct pinreg_run run = expect_kind(PINREG_KIND_PAGECACHE);
	assert_int_equal(run.file_size, 3 * page_size());
}

/* 0 if the kind is the wanted one both ways. */
static int kind_both_ways(enum pinreg_kind wanted)
{
	int by_ioctl = kind_at(place.memory);
	pinreg_maps_force_text(true);
	int by_text = kind_at(place.memory);
	return by_ioctl != (int)wanted || by_text != (int)wanted;
}

static int become_nobody(void)
{
	/* 65534 is nobody everywhere; the limits of a service that dropped its rights */
	return setgroups(0, NULL) || setresgid(65534, 65534, 65534) ||
	       setresuid(65534, 65534, 65534);
}

static int look_as_nobody(void *argument)
{
	const enum pinreg_kind *wanted = argument;
	return become_nobody() || kind_both_ways(*wanted);
}

static void file__deleted_but_open_without_privilege(void **state)
{
	(void)state;
	if (geteuid())
		test_skip("only root can become nobody");
	make_file("file", PROT_READ | PROT_WRITE, MAP_SHARED);
	test_ok(unlink(place.path));
	enum pinreg_kind wanted = PINREG_KIND_PAGECACHE;
	in_child(look_as_nobody, &wanted);
}

static void file__deleted_and_closed_without_privilege(void **state)
{
	(void)state;
	if (geteuid())
		test_skip("only root can become nobody");
	make_file("file", PROT_READ | PROT_WRITE, MAP_SHARED);
	test_ok(unlink(place.path));
	close(place.fd);
	enum pinreg_kind wanted = PINREG_KIND_UNKNOWN_FILE;
	in_child(look_as_nobody, &wanted);
}

static void file__deleted_and_closed_with_privilege(void **state)
{
	(void)state;
	make_file("file", PROT_READ | PROT_WRITE, MAP_SHARED);
	char link[96];
	snprintf(link, sizeof(link), "/proc/self/map_files/%lx-%lx", (unsigned long)place.memory,
		 (unsigned long)(place.memory + page_size()));
	if (access(link, F_OK))
		test_skip("%s cannot be followed here", "/proc/self/map_files");
	test_ok(unlink(place.path));
	close(place.fd);
	expect_kind(PINREG_KIND_PAGECACHE);
}

static int look_at_memfd_as_nobody(void *argument)
{
	(void)argument;
	struct pinreg_backing *backing;
	if (become_nobody() || pinreg_backing_query(place.memory, 1, &backing))
		return -1;
	struct pinreg_run run = { .size = sizeof(run) };
	int error = pinreg_backing_get(backing, 0, &run);
	pinreg_backing_free(backing);
	return error || run.kind != PINREG_KIND_SHMEM || run.file_size != 3 * page_size();
}

static void memfd__without_privilege(void **state)
{
	(void)state;
	if (geteuid())
		test_skip("only root can become nobody");
	place.fd = memfd_create("open", MFD_CLOEXEC);
	test_ok(place.fd);
	test_ok(ftruncate(place.fd, (off_t)(3 * page_size())));
	place.memory = map_or_fail(page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, place.fd);
	in_child(look_at_memfd_as_nobody, NULL);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test_setup_teardown(file__shared_read_write, make_place, remove_place),
	cmocka_unit_test_setup_teardown(file__shared_read_only, make_place, remove_place),
	cmocka_unit_test_setup_teardown(file__private, make_place, remove_place),
	cmocka_unit_test_setup_teardown(file__space_and_newline_in_the_name, make_place,
					remove_place),
	cmocka_unit_test_setup_teardown(file__backslash_in_the_name, make_place, remove_place),
	cmocka_unit_test_setup_teardown(file__renamed, make_place, remove_place),
	cmocka_unit_test_setup_teardown(file__another_took_its_name, make_place, remove_place),
	cmocka_unit_test_setup_teardown(file__deleted_but_open, make_place, remove_place),
	cmocka_unit_test_setup_teardown(file__deleted_but_open_without_privilege, make_place,
					remove_place),
	cmocka_unit_test_setup_teardown(file__deleted_and_closed_without_privilege, make_place,
					remove_place),
	cmocka_unit_test_setup_teardown(file__deleted_and_closed_with_privilege, make_place,
					remove_place),
	cmocka_unit_test(memfd__without_privilege),
};

TEST_MAIN(cases)
