/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * draft.c -- a file that is being made flawed, and a model of what it must hold.
 */
#include "support/draft.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/rdma.h"
#include "support/test.h"

#define PLACELESS                                                                                  \
	(FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_NOT_ALIGNED |              \
	 FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_DATA_TAIL | FIEMAP_EXTENT_ENCODED)

void draft_open(struct draft *draft, const char *directory)
{
	memset(draft, 0, sizeof(*draft));
	snprintf(draft->path, sizeof(draft->path), "%s/draft-%d", directory, getpid());
	snprintf(draft->origin, sizeof(draft->origin), "%s/origin-%d", directory, getpid());
	draft->model = calloc(1, DRAFT_ROOM);
	assert_non_null(draft->model);
	unlink(draft->path);
	draft->fd = open(draft->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	test_ok(draft->fd);
}

void draft_close(struct draft *draft)
{
	if (draft->fd < 0)
		return;
	/* blocks that are only promised (delayed) are no flaw that lasts */
	test_ok(fsync(draft->fd));
	test_ok(close(draft->fd));
	draft->fd = -1;
}

void draft_remove(struct draft *draft)
{
	draft_close(draft);
	unlink(draft->path);
	if (draft->has_origin)
		unlink(draft->origin);
	free(draft->model);
}

/* ---- what is under a file --------------------------------------------------- */

static uint64_t minimum(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* tmpfs has no FIEMAP. */
static void look_by_seek(int fd, uint64_t length, struct draft_blocks *out)
{
	for (uint64_t at = 0; at < length;) {
		off_t data = lseek(fd, (off_t)at, SEEK_DATA);
		uint64_t start = data < 0 ? length : minimum((uint64_t)data, length);
		out->holes += start - at;
		if (start == length)
			return;
		off_t hole = lseek(fd, data, SEEK_HOLE);
		test_ok(hole);
		out->extents++;
		at = (uint64_t)hole;
	}
}

static uint64_t look_at_extent(const struct fiemap_extent *extent, uint64_t at, uint64_t length,
			       struct draft_blocks *out)
{
	uint64_t start = minimum(extent->fe_logical, length);
	uint64_t end = minimum(extent->fe_logical + extent->fe_length, length);
	out->holes += start > at ? start - at : 0;
	if (end <= start)
		return at;
	out->extents++;
	out->unwritten += extent->fe_flags & FIEMAP_EXTENT_UNWRITTEN ? end - start : 0;
	out->shared += extent->fe_flags & FIEMAP_EXTENT_SHARED ? end - start : 0;
	out->placeless += extent->fe_flags & PLACELESS ? end - start : 0;
	return end;
}

void draft_look(const struct draft *draft, uint64_t length, struct draft_blocks *out)
{
	enum { ROOM = 1024 };
	struct fiemap *map = calloc(1, sizeof(*map) + ROOM * sizeof(struct fiemap_extent));
	int fd = open(draft->path, O_RDONLY | O_CLOEXEC);
	memset(out, 0, sizeof(*out));
	assert_non_null(map);
	test_ok(fd);
	map->fm_length = length;
	map->fm_flags = FIEMAP_FLAG_SYNC;
	map->fm_extent_count = ROOM;
	if (ioctl(fd, FS_IOC_FIEMAP, map)) {
		assert_int_equal(errno, EOPNOTSUPP);
		look_by_seek(fd, length, out);
	} else {
		uint64_t at = 0;
		assert_true(map->fm_mapped_extents < ROOM);
		for (unsigned int i = 0; i < map->fm_mapped_extents; i++)
			at = look_at_extent(&map->fm_extents[i], at, length, out);
		out->holes += length - at;
	}
	close(fd);
	free(map);
}

/* ---- what is in it ---------------------------------------------------------- */

void draft_compare(const struct draft *draft, const unsigned char *memory, uint64_t length)
{
	if (!memcmp(memory, draft->model, length))
		return;
	for (uint64_t at = 0; at < length; at++)
		if (memory[at] != draft->model[at])
			fail_msg("%s: byte %lu of %lu is 0x%02x, not 0x%02x", draft->path,
				 (unsigned long)at, (unsigned long)length, memory[at],
				 draft->model[at]);
}

static void compare_path(const struct draft *draft, const char *path, uint64_t length,
			 unsigned int seed)
{
	unsigned char *bytes = malloc(length);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	test_ok(fd);
	assert_int_equal(pread(fd, bytes, length, 0), (ssize_t)length);
	close(fd);
	if (seed)
		rdma_expect(bytes, length, seed);
	else
		draft_compare(draft, bytes, length);
	free(bytes);
}

#define SEED_OWN 21
#define SEED_ORIGIN 22

void draft_expect(const struct draft *draft, uint64_t length)
{
	compare_path(draft, draft->path, length, 0);
	if (draft->has_origin)
		compare_path(draft, draft->origin, DRAFT_ROOM, SEED_ORIGIN);
}

/* ---- ways to spoil it ------------------------------------------------------- */

static void put(struct draft *draft, uint64_t offset, uint64_t length)
{
	rdma_pattern(draft->model + offset, length, SEED_OWN);
	assert_int_equal(pwrite(draft->fd, draft->model + offset, length, (off_t)offset),
			 (ssize_t)length);
}

/* false: not here; anything else that goes wrong fails the case. */
static bool change(struct draft *draft, int mode, uint64_t offset, uint64_t length)
{
	if (!fallocate(draft->fd, mode, (off_t)offset, (off_t)length))
		return true;
	assert_int_equal(errno, EOPNOTSUPP);
	return false;
}

static bool punch(struct draft *draft, uint64_t offset, uint64_t length)
{
	put(draft, 0, DRAFT_ROOM);
	test_ok(fsync(draft->fd));
	memset(draft->model + offset, 0, length);
	return change(draft, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
}

static bool nothing(struct draft *draft)
{
	put(draft, 0, DRAFT_ROOM);
	return true;
}

static bool empty(struct draft *draft)
{
	(void)draft;
	return true;
}

static bool sparse(struct draft *draft)
{
	put(draft, 0, 4096);
	put(draft, 300000, 5000);
	put(draft, DRAFT_ROOM - 4096, 4096);
	return true;
}

static bool one_hole(struct draft *draft)
{
	test_ok(ftruncate(draft->fd, DRAFT_ROOM));
	return true;
}

/* More extents than one FIEMAP call of the library asks for. */
static bool comb(struct draft *draft)
{
	for (uint64_t at = 0; at < DRAFT_ROOM; at += 8192)
		put(draft, at, 4096);
	test_ok(ftruncate(draft->fd, DRAFT_ROOM));
	return true;
}

static bool preallocated(struct draft *draft)
{
	if (!change(draft, 0, 0, DRAFT_ROOM))
		return false;
	put(draft, 70001, 10000);
	return true;
}

static bool preallocated_behind_the_end(struct draft *draft)
{
	put(draft, 0, DRAFT_ROOM / 2);
	return change(draft, FALLOC_FL_KEEP_SIZE, 0, DRAFT_ROOM);
}

static bool zeroed_range(struct draft *draft)
{
	put(draft, 0, DRAFT_ROOM);
	test_ok(fsync(draft->fd));
	memset(draft->model + 262144, 0, 262144);
	return change(draft, FALLOC_FL_ZERO_RANGE, 262144, 262144);
}

static bool punched(struct draft *draft)
{
	return punch(draft, 262144, 262144);
}

static bool punched_within_blocks(struct draft *draft)
{
	return punch(draft, 100001, 200001);
}

static bool unaligned_tail(struct draft *draft)
{
	put(draft, 0, 70001);
	return true;
}

/* Behind its end, in its last block, is something that growing must not show. */
static bool dirty_tail(struct draft *draft)
{
	put(draft, 0, 70001);
	test_ok(fsync(draft->fd));
	char *last = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, draft->fd, 69632);
	assert_ptr_not_equal(last, MAP_FAILED);
	memset(last + 70001 - 69632, 0xee, 73728 - 70001);
	test_ok(msync(last, 4096, MS_SYNC));
	test_ok(munmap(last, 4096));
	return true;
}

static bool few_bytes(struct draft *draft)
{
	put(draft, 0, 50);
	return true;
}

static int make_origin(struct draft *draft)
{
	unsigned char *bytes = malloc(DRAFT_ROOM);
	int fd = open(draft->origin, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	test_ok(fd);
	draft->has_origin = true;
	rdma_pattern(bytes, DRAFT_ROOM, SEED_ORIGIN);
	assert_int_equal(pwrite(fd, bytes, DRAFT_ROOM, 0), DRAFT_ROOM);
	test_ok(fsync(fd));
	free(bytes);
	return fd;
}

static bool clone_range(struct draft *draft, uint64_t offset, uint64_t length)
{
	int fd = make_origin(draft);
	struct file_clone_range range = {
		.src_fd = fd,
		.src_offset = offset,
		.src_length = length,
		.dest_offset = offset,
	};
	int status = ioctl(draft->fd, FICLONERANGE, &range) ? errno : 0;
	assert_int_equal(pread(fd, draft->model + offset, length, (off_t)offset), (ssize_t)length);
	close(fd);
	if (status && status != EOPNOTSUPP && status != ENOTTY)
		fail_msg("FICLONERANGE: %s", strerror(status));
	return !status;
}

static bool reflinked(struct draft *draft)
{
	return clone_range(draft, 0, DRAFT_ROOM);
}

static bool reflinked_in_the_middle(struct draft *draft)
{
	put(draft, 0, DRAFT_ROOM);
	test_ok(fsync(draft->fd));
	return clone_range(draft, 131072, 262144);
}

static bool shows_holes(const struct draft_blocks *blocks)
{
	return blocks->holes;
}

static bool shows_unwritten(const struct draft_blocks *blocks)
{
	return blocks->unwritten;
}

static bool shows_shared(const struct draft_blocks *blocks)
{
	return blocks->shared;
}

const struct draft_flaw draft_flaws[] = {
	{ "nothing", nothing, NULL },
	{ "empty", empty, shows_holes },
	{ "sparse", sparse, shows_holes },
	{ "one hole", one_hole, shows_holes },
	{ "comb", comb, shows_holes },
	{ "preallocated", preallocated, shows_unwritten },
	{ "preallocated behind the end", preallocated_behind_the_end, shows_unwritten },
	{ "zeroed range", zeroed_range, NULL },
	{ "punched", punched, shows_holes },
	{ "punched within blocks", punched_within_blocks, shows_holes },
	{ "unaligned tail", unaligned_tail, shows_holes },
	{ "dirty tail", dirty_tail, shows_holes },
	{ "few bytes", few_bytes, shows_holes },
	{ "reflinked", reflinked, shows_shared },
	{ "reflinked in the middle", reflinked_in_the_middle, shows_shared },
	{ 0 },
};
