/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_file.c -- DAX files on ext4 and xfs: prepared, registered, written by a
 * peer, taken away and given back.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "support/host.h"
#include "support/rdma.h"
#include "support/test.h"

#define LENGTH (4u << 20)

static const char *const mounts[] = { "/pmem/ext4", "/pmem/xfs" };
#define EACH_MOUNT(i) (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++)

/* A leased file, registered for whole pages: by ODP, or with a shadow without. */
struct scene {
	char path[256];
	struct pinreg_domain *domain;
	struct pinreg_file *file;
	struct pinreg_region *region;
	struct pinreg_file_info info;
	unsigned char *memory;
};

static void new_path(char *path, size_t size, const char *mount)
{
	snprintf(path, size, "%s/file-%d", mount, getpid());
	unlink(path);
}

static void open_new(struct scene *scene, const char *mount)
{
	struct pinreg_file_opts opts = { .size = sizeof(opts), .length = LENGTH, .create = 1 };
	struct pinreg_why why;
	new_path(scene->path, sizeof(scene->path), mount);
	scene->domain = rdma_domain(NULL);
	scene->region = NULL;
	int status =
		pinreg_file_open(scene->domain, AT_FDCWD, scene->path, &opts, &why, &scene->file);
	if (status)
		fail_msg("%s: %s", mount, rdma_sentence(&why));
	scene->info.size = sizeof(scene->info);
	test_ok(pinreg_file_query(scene->file, &scene->info));
	scene->memory = scene->info.addr;
}

static void register_pages(struct scene *scene)
{
	struct pinreg_region_opts opts = {
		.size = sizeof(opts),
		.granularity = PINREG_GRANULARITY_PAGE,
	};
	struct pinreg_why why;
	int status = pinreg_file_register(scene->file, 0, 0, &opts, &why, &scene->region);
	if (status)
		fail_msg("%s", rdma_sentence(&why));
	assert_int_equal(why.reason,
			 rdma_has_odp() ? PINREG_REASON_ODP_FSDAX : PINREG_REASON_STAGED_NO_ODP);
}

static void scene_close(struct scene *scene)
{
	test_ok(pinreg_region_deregister(scene->region));
	test_ok(pinreg_file_close(scene->file));
	unlink(scene->path);
}

static struct pinreg_keys keys_of(struct scene *scene)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	test_ok(pinreg_region_keys(scene->region, &keys));
	return keys;
}

/* What the kernel says to somebody who did not ask us. */
static void plain__is_refused_on_dax(void **state)
{
	(void)state;
	struct scene scene;
	for
		EACH_MOUNT(i)
		{
			open_new(&scene, mounts[i]);
			errno = 0;
			assert_null(ibv_reg_mr(rdma_pd(), scene.memory, LENGTH,
					       IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE));
			assert_int_equal(errno, EOPNOTSUPP);
			scene_close(&scene);
		}
}

static void file__new_one_is_whole(void **state)
{
	(void)state;
	struct scene scene;
	struct stat stat_now;
	for
		EACH_MOUNT(i)
		{
			open_new(&scene, mounts[i]);
			assert_int_equal(scene.info.state, PINREG_FILE_HELD);
			assert_int_equal(scene.info.dax, 1);
			assert_int_equal(scene.info.map_sync, 1);
			assert_int_equal(scene.info.zeroed, LENGTH);
			assert_true(scene.info.extents >= 1);
			test_ok(stat(scene.path, &stat_now));
			assert_int_equal(stat_now.st_size, LENGTH);
			assert_int_equal(stat_now.st_mode & 07777, 0600);
			assert_true(stat_now.st_blocks * 512 >= LENGTH);
			for (size_t at = 0; at < LENGTH; at++)
				if (scene.memory[at])
					fail_msg("byte %zu of a new file is not 0", at);
			scene_close(&scene);
		}
}

static void file__peer_writes_and_reads(void **state)
{
	(void)state;
	struct scene scene;
	for
		EACH_MOUNT(i)
		{
			open_new(&scene, mounts[i]);
			register_pages(&scene);
			struct rdma_peer *peer = rdma_peer_open();
			struct pinreg_keys keys = keys_of(&scene);
			rdma_pattern(rdma_peer_buffer(peer), 65536, 7);
			test_ok(rdma_peer_write(peer, &keys, 1 << 20, 65536));
			test_ok(pinreg_region_commit(scene.region, 1 << 20, 65536));
			rdma_expect(scene.memory + (1 << 20), 65536, 7);
			rdma_pattern(scene.memory + 8192, 65536, 8);
			test_ok(pinreg_region_refresh(scene.region, 8192, 65536));
			test_ok(rdma_peer_read(peer, &keys, 8192, 65536));
			rdma_expect(rdma_peer_buffer(peer), 65536, 8);
			rdma_peer_close(peer);

			/* it is in the file: read it by its path after we have let go */
			test_ok(pinreg_region_deregister(scene.region));
			test_ok(pinreg_file_close(scene.file));
			unsigned char *copy = malloc(65536);
			int fd = open(scene.path, O_RDONLY | O_CLOEXEC);
			assert_int_equal(pread(fd, copy, 65536, 1 << 20), 65536);
			rdma_expect(copy, 65536, 7);
			close(fd);
			free(copy);
			unlink(scene.path);
		}
}

static void file__any_offset(void **state)
{
	(void)state;
	struct pinreg_region_opts no_shadow = { .size = sizeof(no_shadow), .no_staging = 1 };
	struct pinreg_region_info info = { .size = sizeof(info) };
	bool trusted = rdma_trust() == PINREG_TRUST_FULL;
	struct scene scene;
	struct pinreg_why why;
	open_new(&scene, mounts[0]);
	if (!trusted) {
		assert_int_equal(
			pinreg_file_register(scene.file, 0, 0, &no_shadow, &why, &scene.region),
			-EOPNOTSUPP);
		assert_int_equal(why.reason, rdma_has_odp() ? PINREG_REASON_ODP_GRANULARITY
							    : PINREG_REASON_ODP_MISSING);
		assert_true(!rdma_has_odp() || (why.wrong > 0 && why.mtu == 4096));
	}
	test_ok(pinreg_file_register(scene.file, 0, 0, NULL, &why, &scene.region));
	test_ok(pinreg_region_query(scene.region, &info));
	assert_int_equal(info.method, trusted ? PINREG_METHOD_ODP : PINREG_METHOD_STAGED);
	struct rdma_peer *peer = rdma_peer_open();
	struct pinreg_keys keys = keys_of(&scene);
	rdma_pattern(rdma_peer_buffer(peer), 54321, 9);
	test_ok(rdma_peer_write(peer, &keys, 100, 54321));
	test_ok(pinreg_region_commit(scene.region, 100, 54321));
	rdma_expect(scene.memory + 100, 54321, 9);
	assert_int_equal(scene.memory[99] | scene.memory[100 + 54321], 0);
	rdma_peer_close(peer);
	scene_close(&scene);
}

/* Every free block gets content, and is free again. */
static void fill_device(const char *mount)
{
	static unsigned char data[1 << 20];
	char path[256];
	ssize_t done;
	rdma_pattern(data, sizeof(data), 13);
	new_path(path, sizeof(path), mount);
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
	for
		EACH_MOUNT(i)
		{
			struct scene scene;
			fill_device(mounts[i]);
			open_new(&scene, mounts[i]);
			for (size_t at = 0; at < LENGTH; at++)
				if (scene.memory[at])
					fail_msg("byte %zu is from an earlier file", at);
			scene_close(&scene);
		}
}

static void file__holes_are_filled_data_is_kept(void **state)
{
	(void)state;
	for
		EACH_MOUNT(i)
		{
			struct pinreg_file_opts opts = { .size = sizeof(opts) };
			struct pinreg_file_info info = { .size = sizeof(info) };
			struct pinreg_file *file;
			struct pinreg_why why;
			char path[256];
			unsigned char data[4096];
			new_path(path, sizeof(path), mounts[i]);
			int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
			test_ok(fd);
			rdma_pattern(data, sizeof(data), 3);
			/* data, hole, preallocated, data */
			assert_int_equal(pwrite(fd, data, sizeof(data), 0), sizeof(data));
			test_ok(posix_fallocate(fd, 1 << 20, 1 << 20));
			assert_int_equal(pwrite(fd, data, sizeof(data), LENGTH - 4096),
					 sizeof(data));
			close(fd);

			int status = pinreg_file_open(rdma_domain(NULL), AT_FDCWD, path, &opts,
						      &why, &file);
			if (status)
				fail_msg("%s: %s", mounts[i], rdma_sentence(&why));
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
			test_ok(pinreg_file_open(rdma_domain(NULL), AT_FDCWD, path, &opts, &why,
						 &file));
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
	for
		EACH_MOUNT(i)
		{
			struct pinreg_file_opts opts = {
				.size = sizeof(opts),
				.length = (uint64_t)8 << 30,
				.create = 1,
			};
			struct pinreg_file *file = NULL;
			struct pinreg_why why;
			struct stat before, after;
			char path[256];
			new_path(path, sizeof(path), mounts[i]);
			assert_int_equal(pinreg_file_open(rdma_domain(NULL), AT_FDCWD, path, &opts,
							  &why, &file),
					 -ENOSPC);
			assert_int_equal(why.reason, PINREG_REASON_FILE_NO_SPACE);
			assert_int_equal(why.wanted, opts.length);
			assert_int_equal(access(path, F_OK), -1); /* made by us, removed by us */

			assert_int_equal(host_run("head -c 8192 /dev/urandom > '%s'", path), 0);
			test_ok(stat(path, &before));
			assert_int_equal(pinreg_file_open(rdma_domain(NULL), AT_FDCWD, path, &opts,
							  &why, &file),
					 -ENOSPC);
			test_ok(stat(path, &after));
			assert_int_equal(after.st_size, 8192);
			assert_int_equal(after.st_blocks, before.st_blocks);
			unlink(path);
		}
}

/* A peer that writes until it meets an error. */
struct writer {
	struct rdma_peer *peer;
	struct pinreg_keys keys;
	unsigned int writes;
	int status;
};

static void *write_until_error(void *context)
{
	struct writer *writer = context;
	do {
		writer->status = rdma_peer_write(writer->peer, &writer->keys,
						 (writer->writes % 16) * 65536, 65536);
		writer->writes += !writer->status;
	} while (!writer->status && writer->writes < 100000);
	return NULL;
}

static void break__truncate_while_a_peer_writes(void **state)
{
	(void)state;
	struct scene scene;
	struct pinreg_event event;
	for
		EACH_MOUNT(i)
		{
			open_new(&scene, mounts[i]);
			register_pages(&scene);
			struct writer writer = { .peer = rdma_peer_open(),
						 .keys = keys_of(&scene) };
			pthread_t thread;
			rdma_pattern(rdma_peer_buffer(writer.peer), 65536, 5);
			pthread_create(&thread, NULL, write_until_error, &writer);
			struct timespec pause = { .tv_nsec = 200000000 };
			nanosleep(&pause, NULL);
			test_ok(pinreg_region_commit(scene.region, 0, 65536));

			int breaker = host_start_truncate(scene.path, 8192);
			host_expect(scene.domain, PINREG_EVENT_BREAK, &event);
			assert_int_equal(event.breaker, PINREG_BREAKER_WRITER);
			test_ok(pinreg_file_ack(scene.file));
			host_expect(scene.domain, PINREG_EVENT_FENCED, &event);
			printf("%s: held up for %.3f ms after %u writes\n", mounts[i],
			       (double)event.held_up_ns / 1e6, writer.writes);
			assert_true(event.held_up_ns < 100000000);
			pthread_join(thread, NULL);
			assert_int_equal(writer.status, -EREMOTEIO);
			assert_true(writer.writes > 0);
			rdma_peer_close(writer.peer);
			assert_int_equal(host_wait(breaker), 0);

			host_expect(scene.domain, PINREG_EVENT_RESTORED, &event);
			assert_int_equal(event.generation, 2);
			assert_int_equal(event.new_size, 8192);
			assert_int_equal(event.zeroed, LENGTH - 8192);
			struct pinreg_keys now = keys_of(&scene);
			assert_int_equal(now.addr, writer.keys.addr);
			assert_int_not_equal(now.rkey, writer.keys.rkey);
			rdma_expect(scene.memory, 8192, 5);
			for (size_t at = 8192; at < LENGTH; at++)
				assert_int_equal(scene.memory[at], 0);

			/* the old key is dead, the new one works */
			struct rdma_peer *peer = rdma_peer_open();
			assert_int_equal(rdma_peer_write(peer, &writer.keys, 0, 4096), -EREMOTEIO);
			rdma_peer_close(peer);
			peer = rdma_peer_open();
			rdma_pattern(rdma_peer_buffer(peer), 65536, 6);
			test_ok(rdma_peer_write(peer, &now, 65536, 65536));
			test_ok(pinreg_region_commit(scene.region, 65536, 65536));
			rdma_expect(scene.memory + 65536, 65536, 6);
			rdma_peer_close(peer);
			scene_close(&scene);
		}
}

static void break__with_every_region_of_a_file(void **state)
{
	(void)state;
	struct scene scene;
	struct pinreg_event event;
	struct pinreg_region *regions[8];
	struct pinreg_keys keys = { .size = sizeof(keys) };
	struct pinreg_region_opts opts = {
		.size = sizeof(opts),
		.granularity = PINREG_GRANULARITY_PAGE,
	};
	open_new(&scene, mounts[0]);
	for (unsigned int i = 0; i < 8; i++)
		test_ok(pinreg_file_register(scene.file, i * 65536, 65536, &opts, NULL,
					     &regions[i]));
	assert_int_equal(host_run("exec 9<>'%s'", scene.path), 0);
	host_expect(scene.domain, PINREG_EVENT_BREAK, &event);
	host_expect(scene.domain, PINREG_EVENT_FENCED, &event);
	host_expect(scene.domain, PINREG_EVENT_RESTORED, &event);
	struct rdma_peer *peer = rdma_peer_open();
	for (unsigned int i = 0; i < 8; i++) {
		test_ok(pinreg_region_keys(regions[i], &keys));
		assert_int_equal(keys.generation, 2);
		rdma_pattern(rdma_peer_buffer(peer), 65536, 20 + i);
		test_ok(rdma_peer_write(peer, &keys, 0, 65536));
		test_ok(pinreg_region_commit(regions[i], 0, 65536));
	}
	for (unsigned int i = 0; i < 8; i++) {
		rdma_expect(scene.memory + i * 65536, 65536, 20 + i);
		test_ok(pinreg_region_deregister(regions[i]));
	}
	rdma_peer_close(peer);
	scene_close(&scene);
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
	cmocka_unit_test(break__truncate_while_a_peer_writes),
	cmocka_unit_test(break__with_every_region_of_a_file),
	cmocka_unit_test(file__overlay_is_refused),
};

TEST_MAIN(cases)
