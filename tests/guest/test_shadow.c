/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_shadow.c -- what a shadow shows to peers, and what commit and refresh take
 * out of it and into it; also of a leased file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/host.h"
#include "support/leased.h"
#include "support/rdma.h"
#include "support/runs.h"
#include "support/test.h"

#define ROOM RDMA_ROOM
#define RW (PROT_READ | PROT_WRITE)
#define LENGTH (1u << 20)

static void staged__commit_and_refresh_take_what_is_named(void **state)
{
	(void)state;
	struct pinreg_region_opts opts = { .size = sizeof(opts), .method = PINREG_METHOD_STAGED };
	unsigned char *home = map_or_fail(ROOM, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	struct pinreg_region *region = rdma_register(home, ROOM, &opts);
	struct pinreg_keys keys = rdma_keys(region);
	struct rdma_peer *peer = rdma_peer_open();
	unsigned char *there = rdma_peer_buffer(peer);

	memset(home, 0xaa, ROOM);
	memset(there, 0x55, ROOM);
	test_ok(rdma_peer_write(peer, &keys, 0, ROOM));
	test_ok(pinreg_region_commit(region, 1001, 13));
	for (size_t i = 0; i < ROOM; i++)
		assert_int_equal(home[i], i >= 1001 && i < 1014 ? 0x55 : 0xaa);
	/* a refresh throws away what was not committed, there and nowhere else */
	test_ok(pinreg_region_refresh(region, 5000, 7));
	test_ok(rdma_peer_read(peer, &keys, 0, ROOM));
	for (size_t i = 0; i < ROOM; i++)
		assert_int_equal(there[i], i >= 5000 && i < 5007 ? 0xaa : 0x55);
	test_ok(pinreg_region_commit(region, 0, 0));
	test_ok(pinreg_region_refresh(region, ROOM, 0));
	assert_int_equal(pinreg_region_commit(region, 1, ROOM), -EINVAL);
	assert_int_equal(pinreg_region_refresh(region, ROOM + 1, 0), -EINVAL);
	rdma_peer_close(peer);
	test_ok(pinreg_region_deregister(region));
}

/* Peers may read; the process itself may not write, and commit has nothing to do. */
static void staged__of_a_read_only_mapping(void **state)
{
	(void)state;
	struct pinreg_region_opts opts = {
		.size = sizeof(opts),
		.method = PINREG_METHOD_STAGED,
		.read_only = 1,
	};
	char path[256];
	int fd = file_in("/pmem/ext4", "methods", ROOM, path, sizeof(path));
	unsigned char *data = malloc(ROOM);
	rdma_pattern(data, ROOM, 77);
	assert_int_equal(pwrite(fd, data, ROOM, 0), ROOM);
	unsigned char *home = map_or_fail(ROOM, PROT_READ, MAP_SHARED, fd);
	struct pinreg_region *region = rdma_register(home, ROOM, &opts);
	struct pinreg_keys keys = rdma_keys(region);
	struct rdma_peer *peer = rdma_peer_open();
	test_ok(rdma_peer_read(peer, &keys, 0, ROOM));
	rdma_expect(rdma_peer_buffer(peer), ROOM, 77);
	/* the file changes under it */
	rdma_pattern(data, ROOM, 78);
	assert_int_equal(pwrite(fd, data, ROOM, 0), ROOM);
	test_ok(pinreg_region_refresh(region, 0, ROOM));
	test_ok(rdma_peer_read(peer, &keys, 0, ROOM));
	rdma_expect(rdma_peer_buffer(peer), ROOM, 78);
	test_ok(pinreg_region_commit(region, 0, ROOM));
	assert_int_equal(rdma_peer_write(peer, &keys, 0, 64), -EREMOTEIO);
	rdma_peer_close(peer);
	test_ok(pinreg_region_deregister(region));
	free(data);
	unlink(path);
}

static void staged__committed_bytes_are_in_the_file(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEASED_MOUNTS; i++) {
		struct leased leased;
		leased_open(&leased, leased_mounts[i], LENGTH);
		leased_register_shadow(&leased);
		struct pinreg_keys keys = rdma_keys(leased.region);
		struct rdma_peer *peer = rdma_peer_open();
		rdma_pattern(rdma_peer_buffer(peer), 54321, 3);
		test_ok(rdma_peer_write(peer, &keys, 100, 54321));
		test_ok(rdma_peer_write(peer, &keys, 300001, 54321));
		assert_int_equal(leased.memory[100] | leased.memory[300001], 0);
		test_ok(pinreg_region_commit(leased.region, 100, 54321));
		rdma_peer_close(peer);
		leased_close(&leased);

		unsigned char *copy = malloc(LENGTH);
		int fd = open(leased.path, O_RDONLY | O_CLOEXEC);
		assert_int_equal(pread(fd, copy, LENGTH, 0), LENGTH);
		rdma_expect(copy + 100, 54321, 3);
		/* what was not committed never left the shadow */
		for (size_t at = 0; at < LENGTH; at++)
			if ((at < 100 || at >= 100 + 54321) && copy[at])
				fail_msg("byte %zu was written", at);
		close(fd);
		free(copy);
		unlink(leased.path);
	}
}

static void staged__shows_the_file_of_now_after_a_return(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEASED_MOUNTS; i++) {
		struct leased leased;
		struct pinreg_event event;
		leased_open(&leased, leased_mounts[i], LENGTH);
		leased_register_shadow(&leased);
		struct pinreg_keys before = rdma_keys(leased.region);
		struct rdma_peer *peer = rdma_peer_open();
		rdma_pattern(rdma_peer_buffer(peer), 8192, 4);
		test_ok(rdma_peer_write(peer, &before, 0, 8192));
		test_ok(pinreg_region_commit(leased.region, 0, 8192));

		/* somebody else changes a part of it meanwhile */
		int other = host_start("printf 0123456789 | dd of='%s' bs=1 seek=5000 conv=notrunc"
				       " status=none",
				       leased.path);
		host_expect(rdma_domain(NULL), PINREG_EVENT_BREAK, &event);
		test_ok(pinreg_file_ack(leased.file, event.generation));
		host_expect(rdma_domain(NULL), PINREG_EVENT_FENCED, &event);
		assert_int_equal(pinreg_region_commit(leased.region, 0, 1), -EAGAIN);
		assert_int_equal(pinreg_region_refresh(leased.region, 0, 1), -EAGAIN);
		assert_int_equal(host_wait(other), 0);
		host_expect(rdma_domain(NULL), PINREG_EVENT_RESTORED, &event);

		struct pinreg_keys now = rdma_keys(leased.region);
		assert_int_equal(now.generation, 2);
		assert_int_equal(now.addr, before.addr);
		test_ok(rdma_peer_read(peer, &now, 0, 8192));
		unsigned char *got = rdma_peer_buffer(peer);
		assert_memory_equal(got + 5000, "0123456789", 10);
		rdma_expect(got, 5000, 4);
		assert_int_equal(rdma_peer_write(peer, &before, 0, 64), -EREMOTEIO);
		rdma_peer_close(peer);
		leased_remove(&leased);
	}
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(staged__commit_and_refresh_take_what_is_named),
	cmocka_unit_test(staged__of_a_read_only_mapping),
	cmocka_unit_test(staged__committed_bytes_are_in_the_file),
	cmocka_unit_test(staged__shows_the_file_of_now_after_a_return),
};

TEST_MAIN(cases)
