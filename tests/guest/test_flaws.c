/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_flaws.c -- files with every kind of flawed extent, on every filesystem:
 * prepared they have none, and every byte that was there is there.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/draft.h"
#include "support/host.h"
#include "support/rdma.h"
#include "support/spare.h"
#include "support/test.h"

/* Where a file is made, and what must be true there. */
struct place {
	const char *directory;
	bool dax;
	bool own_blocks; /* what is prepared shares none, not even until it is written */
	bool unwritten;	 /* FIEMAP can tell what was only allocated */
	bool reflinks;
};

static void no_flaws(const struct draft *draft, const struct place *place, const char *flaw)
{
	struct draft_blocks blocks;
	draft_look(draft, DRAFT_ROOM, &blocks);
	uint64_t shared = place->own_blocks ? blocks.shared : 0;
	if (blocks.holes || blocks.unwritten || shared || blocks.placeless)
		fail_msg("%s: prepared, it has %lu bytes of holes, %lu unwritten, %lu shared, "
			 "%lu without a place",
			 flaw, (unsigned long)blocks.holes, (unsigned long)blocks.unwritten,
			 (unsigned long)shared, (unsigned long)blocks.placeless);
}

/* Is the flaw really there? */
static void has_flaw(const struct draft *draft, const struct place *place,
		     const struct draft_flaw *flaw)
{
	struct draft_blocks blocks;
	draft_look(draft, DRAFT_ROOM, &blocks);
	if (!flaw->shows || (!place->unwritten && strstr(flaw->name, "preallocated")))
		return;
	if (!flaw->shows(&blocks))
		fail_msg("%s: it could not be spoiled that way", flaw->name);
}

static struct pinreg_file *open_file(const struct draft *draft, const struct place *place,
				     const char *flaw, struct pinreg_file_info *info)
{
	struct pinreg_file_opts opts = {
		.size = sizeof(opts),
		.length = DRAFT_ROOM,
		.allow_page_cache = !place->dax,
	};
	struct pinreg_file *file;
	struct pinreg_why why;
	int status = pinreg_file_open(rdma_domain(NULL), AT_FDCWD, draft->path, &opts, &why, &file);
	if (status)
		fail_msg("%s: %s", flaw, rdma_sentence(&why));
	*info = (struct pinreg_file_info){ .size = sizeof(*info) };
	test_ok(pinreg_file_query(file, info));
	assert_int_equal(info->dax, place->dax);
	assert_int_equal(info->length, DRAFT_ROOM);
	return file;
}

static void open_once(const struct draft *draft, const struct place *place, const char *flaw)
{
	struct pinreg_file_info info;
	struct pinreg_file *file = open_file(draft, place, flaw, &info);
	draft_compare(draft, info.addr, DRAFT_ROOM);
	test_ok(pinreg_file_close(file));
}

static void prepare_once(const struct draft *draft, const struct place *place, const char *flaw)
{
	struct pinreg_file_opts opts = {
		.size = sizeof(opts),
		.length = DRAFT_ROOM,
		.allow_page_cache = !place->dax,
	};
	struct pinreg_file_report report = { .size = sizeof(report) };
	struct pinreg_why why;
	int status = pinreg_file_prepare(AT_FDCWD, draft->path, &opts, &why, &report);
	if (status)
		fail_msg("%s: %s", flaw, rdma_sentence(&why));
	assert_int_equal(report.flaws, 0);
	assert_int_equal(report.file_size, DRAFT_ROOM);
	assert_int_equal(report.dax, place->dax);
}

/* The two ways to have a file prepared. */
typedef void prepare_function(const struct draft *draft, const struct place *place,
			      const char *flaw);

/* What peers write must be in this file, and in no other that shared its blocks. */
static void write_all(struct draft *draft, unsigned char *memory)
{
	for (size_t at = 0; at < DRAFT_ROOM; at++)
		draft->model[at] = memory[at] = (unsigned char)~draft->model[at];
}

static void repair(const struct place *place, const struct draft_flaw *flaw,
		   prepare_function *prepare)
{
	struct pinreg_file_info info;
	struct draft draft;
	draft_open(&draft, place->directory);
	if (!flaw->spoil(&draft)) {
		if (strstr(flaw->name, "reflinked") ? place->reflinks : place->unwritten)
			fail_msg("%s: it cannot be spoiled that way", flaw->name);
		draft_remove(&draft);
		return;
	}
	draft_close(&draft);
	has_flaw(&draft, place, flaw);

	prepare(&draft, place, flaw->name);
	draft_expect(&draft, DRAFT_ROOM);
	no_flaws(&draft, place, flaw->name);

	/* there is nothing left to be done */
	struct pinreg_file *file = open_file(&draft, place, flaw->name, &info);
	assert_int_equal(info.zeroed, 0);
	write_all(&draft, info.addr);
	test_ok(pinreg_file_close(file));
	draft_expect(&draft, DRAFT_ROOM);
	no_flaws(&draft, place, flaw->name);
	draft_remove(&draft);
}

static void repair_all(const struct place *place)
{
	for (const struct draft_flaw *flaw = draft_flaws; flaw->name; flaw++) {
		repair(place, flaw, open_once);
		repair(place, flaw, prepare_once);
	}
}

static const struct place dax = {
	.directory = SPARE, .dax = true, .own_blocks = true, .unwritten = true
};
static const struct place cache = { .directory = SPARE, .own_blocks = true, .unwritten = true };

static void flaws__on_ext4_dax(void **state)
{
	(void)state;
	spare_make(400, "ext4 -- dax=always");
	repair_all(&dax);
}

static void flaws__on_xfs_dax_without_reflinks(void **state)
{
	(void)state;
	spare_make(400, "xfs -m reflink=0 -- dax=always");
	repair_all(&dax);
}

static void flaws__on_xfs_dax_with_reflinks(void **state)
{
	(void)state;
	struct place place = dax;
	spare_make(400, "xfs -m reflink=1 -- dax=always");
	repair_all(&place);
}

static void set_dax(const char *path)
{
	struct fsxattr attributes;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	test_ok(fd);
	test_ok(ioctl(fd, FS_IOC_FSGETXATTR, &attributes));
	attributes.fsx_xflags |= FS_XFLAG_DAX;
	test_ok(ioctl(fd, FS_IOC_FSSETXATTR, &attributes));
	close(fd);
}

static void inherited(const char *filesystem)
{
	struct place place = dax;
	place.directory = SPARE "/inherits";
	spare_make(400, filesystem);
	test_ok(mkdir(place.directory, 0777));
	set_dax(place.directory);
	repair_all(&place);
}

static void flaws__dax_inherited_on_ext4(void **state)
{
	(void)state;
	inherited("ext4 -- dax=inode");
}

static void flaws__dax_inherited_on_xfs(void **state)
{
	(void)state;
	inherited("xfs -m reflink=0 -- dax=inode");
}

/* The flag of an inode counts from when the kernel has forgotten that inode. */
static void set_while_empty(const char *filesystem)
{
	struct pinreg_file_info info;
	struct draft draft;
	spare_make(400, filesystem);
	draft_open(&draft, SPARE);
	draft_close(&draft);
	set_dax(draft.path);
	assert_int_equal(host_run("sync; echo 2 > /proc/sys/vm/drop_caches"), 0);
	struct pinreg_file *file = open_file(&draft, &dax, "empty", &info);
	draft_compare(&draft, info.addr, DRAFT_ROOM);
	test_ok(pinreg_file_close(file));
	no_flaws(&draft, &dax, "empty");
	draft_remove(&draft);
}

static void flaws__dax_set_while_empty_on_ext4(void **state)
{
	(void)state;
	set_while_empty("ext4 -- dax=inode");
}

static void flaws__dax_set_while_empty_on_xfs(void **state)
{
	(void)state;
	set_while_empty("xfs -- dax=inode");
}

static void flaws__in_page_cache_of_ext4(void **state)
{
	(void)state;
	spare_make(400, "ext4 -- dax=never");
	repair_all(&cache);
}

/* Small files are in the inode, without a block. */
static void flaws__in_page_cache_of_ext4_with_inline_data(void **state)
{
	(void)state;
	struct draft_blocks blocks;
	struct draft draft;
	spare_make(400, "ext4 -O inline_data -- dax=never");
	draft_open(&draft, SPARE);
	assert_int_equal(pwrite(draft.fd, "inline", 6, 0), 6);
	draft_close(&draft);
	draft_look(&draft, 6, &blocks);
	assert_true(blocks.placeless > 0);
	draft_remove(&draft);
	repair_all(&cache);
}

static void flaws__in_page_cache_of_xfs(void **state)
{
	(void)state;
	struct place place = cache;
	place.reflinks = true;
	spare_make(400, "xfs -m reflink=1 -- dax=never");
	repair_all(&place);
}

/* It copies what is shared when it is written back, and cannot be told to do it before. */
static void flaws__in_page_cache_of_btrfs(void **state)
{
	(void)state;
	struct place place = cache;
	place.reflinks = true;
	place.own_blocks = false;
	spare_make(400, "btrfs --");
	repair_all(&place);
}

static void flaws__in_page_cache_of_tmpfs(void **state)
{
	(void)state;
	struct place place = cache;
	place.unwritten = false;
	spare_make(0, "tmpfs -- size=400m");
	repair_all(&place);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test_teardown(flaws__on_ext4_dax, spare_remove),
	cmocka_unit_test_teardown(flaws__on_xfs_dax_without_reflinks, spare_remove),
	cmocka_unit_test_teardown(flaws__on_xfs_dax_with_reflinks, spare_remove),
	cmocka_unit_test_teardown(flaws__dax_inherited_on_ext4, spare_remove),
	cmocka_unit_test_teardown(flaws__dax_inherited_on_xfs, spare_remove),
	cmocka_unit_test_teardown(flaws__dax_set_while_empty_on_ext4, spare_remove),
	cmocka_unit_test_teardown(flaws__dax_set_while_empty_on_xfs, spare_remove),
	cmocka_unit_test_teardown(flaws__in_page_cache_of_ext4, spare_remove),
	cmocka_unit_test_teardown(flaws__in_page_cache_of_ext4_with_inline_data, spare_remove),
	cmocka_unit_test_teardown(flaws__in_page_cache_of_xfs, spare_remove),
	cmocka_unit_test_teardown(flaws__in_page_cache_of_btrfs, spare_remove),
	cmocka_unit_test_teardown(flaws__in_page_cache_of_tmpfs, spare_remove),
};

TEST_MAIN(cases)
