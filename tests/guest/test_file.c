/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_file.c -- DAX files on ext4 and xfs: prepared, and registered.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/host.h"
#include "support/leased.h"
#include "support/rdma.h"
#include "support/test.h"

#define LENGTH (4u << 20)

/* What the kernel says to somebody who did not ask us. */
static void plain__is_refused_on_dax(void **state)
{
	(void)state;
	struct leased leased;
	for (size_t i = 0; i < LEASED_MOUNTS; i++) {
		leased_open(&leased, leased_mounts[i], LENGTH);
		errno = 0;
		assert_null(ibv_reg_mr(rdma_pd(), leased.memory, LENGTH,
				       IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE));
		assert_int_equal(errno, EOPNOTSUPP);
		leased_remove(&leased);
	}
}

static void file__new_one_is_whole(void **state)
{
	(void)state;
	struct leased leased;
	struct stat stat_now;
	for (size_t i = 0; i < LEASED_MOUNTS; i++) {
		leased_open(&leased, leased_mounts[i], LENGTH);
		assert_int_equal(leased.info.state, PINREG_FILE_HELD);
		assert_int_equal(leased.info.dax, 1);
		assert_int_equal(leased.info.map_sync, 1);
		assert_int_equal(leased.info.zeroed, LENGTH);
		assert_true(leased.info.extents >= 1);
		test_ok(stat(leased.path, &stat_now));
		assert_int_equal(stat_now.st_size, LENGTH);
		assert_int_equal(stat_now.st_mode & 07777, 0600);
		assert_true(stat_now.st_blocks * 512 >= LENGTH);
		for (size_t at = 0; at < LENGTH; at++)
			if (leased.memory[at])
				fail_msg("byte %zu of a new file is not 0", at);
		leased_remove(&leased);
	}
}

static void file__peer_writes_and_reads(void **state)
{
	(void)state;
	struct leased leased;
	for (size_t i = 0; i < LEASED_MOUNTS; i++) {
		leased_open(&leased, leased_mounts[i], LENGTH);
		leased_register_pages(&leased);
		struct rdma_peer *peer = rdma_peer_open();
		struct pinreg_keys keys = rdma_keys(leased.region);
		rdma_pattern(rdma_peer_buffer(peer), 65536, 7);
		test_ok(rdma_peer_write(peer, &keys, 1 << 20, 65536));
		test_ok(pinreg_region_commit(leased.region, 1 << 20, 65536));
		rdma_expect(leased.memory + (1 << 20), 65536, 7);
		rdma_pattern(leased.memory + 8192, 65536, 8);
		test_ok(pinreg_region_refresh(leased.region, 8192, 65536));
		test_ok(rdma_peer_read(peer, &keys, 8192, 65536));
		rdma_expect(rdma_peer_buffer(peer), 65536, 8);
		rdma_peer_close(peer);

		/* it is in the file: read it by its path after we have let go */
		leased_close(&leased);
		unsigned char *copy = malloc(65536);
		int fd = open(leased.path, O_RDONLY | O_CLOEXEC);
		assert_int_equal(pread(fd, copy, 65536, 1 << 20), 65536);
		rdma_expect(copy, 65536, 7);
		close(fd);
		free(copy);
		unlink(leased.path);
	}
}

static void file__any_offset(void **state)
{
	(void)state;
	struct pinreg_region_opts no_shadow = { .size = sizeof(no_shadow), .no_staging = 1 };
	struct pinreg_region_info info = { .size = sizeof(info) };
	bool trusted = rdma_trust() == PINREG_TRUST_FULL;
	struct leased leased;
	struct pinreg_why why;
	leased_open(&leased, leased_mounts[0], LENGTH);
	if (!trusted) {
		assert_int_equal(
			pinreg_file_register(leased.file, 0, 0, &no_shadow, &why, &leased.region),
			-EOPNOTSUPP);
		assert_int_equal(why.reason, rdma_has_odp() ? PINREG_REASON_ODP_GRANULARITY
							    : PINREG_REASON_ODP_MISSING);
		assert_true(!rdma_has_odp() || (why.wrong > 0 && why.mtu == 4096));
	}
	test_ok(pinreg_file_register(leased.file, 0, 0, NULL, &why, &leased.region));
	test_ok(pinreg_region_query(leased.region, &info));
	assert_int_equal(info.method, trusted ? PINREG_METHOD_ODP : PINREG_METHOD_STAGED);
	struct rdma_peer *peer = rdma_peer_open();
	struct pinreg_keys keys = rdma_keys(leased.region);
	rdma_pattern(rdma_peer_buffer(peer), 54321, 9);
	test_ok(rdma_peer_write(peer, &keys, 100, 54321));
	test_ok(pinreg_region_commit(leased.region, 100, 54321));
	rdma_expect(leased.memory + 100, 54321, 9);
	assert_int_equal(leased.memory[99] | leased.memory[100 + 54321], 0);
	rdma_peer_close(peer);
	leased_remove(&leased);
}

/* Every free block gets content, and is free again. */
static void fill_device(const char *mount)
{
	static unsigned char data[1 << 20];
	char path[256];
	ssize_t done;
	rdma_pattern(data, sizeof(data), 13);
	leased_path(path, sizeof(path), mount);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	test_ok(fd);
	do {
		done = write(fd, data, sizeof(data));
	} while (done > 0);
	assert_int_equal(errno, ENOSPC);
	close(fd);
	unlink(path);
	/* xfs frees blocks behind our back */
	assert_int_equal(host_run("sync"), 0);
}

/* What the device held before must not be seen through a new file. */
static void file__shows_nothing_stale(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEASED_MOUNTS; i++) {
		struct leased leased;
		fill_device(leased_mounts[i]);
		leased_open(&leased, leased_mounts[i], LENGTH);
		for (size_t at = 0; at < LENGTH; at++)
			if (leased.memory[at])
				fail_msg("byte %zu is from an earlier file", at);
		leased_remove(&leased);
	}
}

static void file__holes_are_filled_data_is_kept(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEASED_MOUNTS; i++) {
		struct pinreg_file_opts opts = { .size = sizeof(opts) };
		struct pinreg_file_info info = { .size = sizeof(info) };
		struct pinreg_file *file;
		struct pinreg_why why;
		char path[256];
		unsigned char data[4096];
		leased_path(path, sizeof(path), leased_mounts[i]);
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		test_ok(fd);
		rdma_pattern(data, sizeof(data), 3);
		/* data, hole, preallocated, data */
		assert_int_equal(pwrite(fd, data, sizeof(data), 0), sizeof(data));
		test_ok(posix_fallocate(fd, 1 << 20, 1 << 20));
		assert_int_equal(pwrite(fd, data, sizeof(data), LENGTH - 4096), sizeof(data));
		close(fd);

		int status =
			pinreg_file_open(rdma_domain(NULL), AT_FDCWD, path, &opts, &why, &file);
		if (status)
			fail_msg("%s: %s", leased_mounts[i], rdma_sentence(&why));
		test_ok(pinreg_file_query(file, &info));
		assert_int_equal(info.length, LENGTH);
		assert_int_equal(info.zeroed, LENGTH - 8192);
		unsigned char *memory = info.addr;
		rdma_expect(memory, 4096, 3);
		rdma_expect(memory + LENGTH - 4096, 4096, 3);
		for (size_t at = 4096; at < LENGTH - 4096; at++)
			assert_int_equal(memory[at], 0);
		test_ok(pinreg_file_close(file));

		/* a second time there is nothing to do */
		test_ok(pinreg_file_open(rdma_domain(NULL), AT_FDCWD, path, &opts, &why, &file));
		test_ok(pinreg_file_query(file, &info));
		assert_int_equal(info.zeroed, 0);
		test_ok(pinreg_file_close(file));
		unlink(path);
	}
}

static void file__reflinked_is_unshared(void **state)
{
	(void)state;
	struct pinreg_file_opts opts = { .size = sizeof(opts) };
	struct pinreg_file *file;
	struct pinreg_why why;
	if (host_run("cd /pmem/xfs && rm -f one two && head -c 1M /dev/urandom > one && "
		     "cp --reflink=always one two 2>/dev/null"))
		test_skip("the kernel or the filesystem has no reflinks on DAX");
	int status =
		pinreg_file_open(rdma_domain(NULL), AT_FDCWD, "/pmem/xfs/one", &opts, &why, &file);
	if (status)
		fail_msg("%s", rdma_sentence(&why));
	test_ok(pinreg_file_close(file));
	assert_int_equal(host_run("cd /pmem/xfs && cmp one two && rm one two"), 0);
}

static void file__no_space_leaves_it_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEASED_MOUNTS; i++) {
		struct pinreg_file_opts opts = {
			.size = sizeof(opts),
			.length = (uint64_t)8 << 30,
			.create = 1,
		};
		struct pinreg_file *file = NULL;
		struct pinreg_why why;
		struct stat before, after;
		char path[256];
		leased_path(path, sizeof(path), leased_mounts[i]);
		assert_int_equal(
			pinreg_file_open(rdma_domain(NULL), AT_FDCWD, path, &opts, &why, &file),
			-ENOSPC);
		assert_int_equal(why.reason, PINREG_REASON_FILE_NO_SPACE);
		assert_int_equal(why.wanted, opts.length);
		assert_int_equal(access(path, F_OK), -1); /* made by us, removed by us */

		assert_int_equal(host_run("head -c 8192 /dev/urandom > '%s'", path), 0);
		test_ok(stat(path, &before));
		assert_int_equal(
			pinreg_file_open(rdma_domain(NULL), AT_FDCWD, path, &opts, &why, &file),
			-ENOSPC);
		test_ok(stat(path, &after));
		assert_int_equal(after.st_size, 8192);
		assert_int_equal(after.st_blocks, before.st_blocks);
		unlink(path);
	}
}

static void file__overlay_is_refused(void **state)
{
	(void)state;
	struct pinreg_file_opts opts = { .size = sizeof(opts), .allow_page_cache = 1 };
	struct pinreg_file *file = NULL;
	struct pinreg_why why;
	if (host_run("modprobe overlay 2>/dev/null; grep -q overlay /proc/filesystems"))
		test_skip("the kernel has no overlayfs");
	assert_int_equal(
		host_run("mkdir -p /run/o && mount -t tmpfs o /run/o && cd /run/o && "
			 "mkdir l u w m && head -c 8192 /dev/zero > l/f && mount -t overlay "
			 "-o lowerdir=l,upperdir=u,workdir=w o m"),
		0);
	int status =
		pinreg_file_open(rdma_domain(NULL), AT_FDCWD, "/run/o/m/f", &opts, &why, &file);
	host_run("umount /run/o/m /run/o");
	assert_int_equal(status, -EOPNOTSUPP);
	assert_int_equal(why.reason, PINREG_REASON_FILE_OVERLAY);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(plain__is_refused_on_dax),
	cmocka_unit_test(file__new_one_is_whole),
	cmocka_unit_test(file__peer_writes_and_reads),
	cmocka_unit_test(file__any_offset),
	cmocka_unit_test(file__shows_nothing_stale),
	cmocka_unit_test(file__holes_are_filled_data_is_kept),
	cmocka_unit_test(file__reflinked_is_unshared),
	cmocka_unit_test(file__no_space_leaves_it_alone),
	cmocka_unit_test(file__overlay_is_refused),
};

TEST_MAIN(cases)
