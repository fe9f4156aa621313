/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_methods.c -- data through what was registered, by each method: the right
 * bytes in the right places, both ways, and nothing beside them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/memories.h"
#include "support/rdma.h"
#include "support/runs.h"
#include "support/test.h"

#define ROOM RDMA_ROOM
#define RW (PROT_READ | PROT_WRITE)

/* Not page-aligned, not whole packets, across pages, and some that are all that. */
static const struct {
	uint64_t offset;
	uint32_t length;
} places[] = {
	{ 0, 1 },	{ 5, 3 },	 { 100, 64 },	  { 4095, 2 },	   { 4096, 4096 },
	{ 4097, 4095 }, { 8191, 65537 }, { 777, 100001 }, { 0, ROOM - 1 }, { ROOM - 9, 9 },
};
#define PLACES (sizeof(places) / sizeof(places[0]))

static enum pinreg_method method_of(struct pinreg_region *region)
{
	struct pinreg_region_info info = { .size = sizeof(info) };
	test_ok(pinreg_region_query(region, &info));
	return info.method;
}

/* The first byte that is wrong, in words. */
static void expect_same(const unsigned char *got, const unsigned char *wanted, const char *what,
			uint64_t offset, uint64_t length)
{
	for (size_t i = 0; i < ROOM; i++)
		if (got[i] != wanted[i])
			fail_msg("%s of %lu bytes at +%lu: byte %zu is 0x%02x, not 0x%02x", what,
				 (unsigned long)length, (unsigned long)offset, i, got[i],
				 wanted[i]);
}

/* A write by the peer, then a read; all of the memory is compared each time. */
static void move_one(struct rdma_peer *peer, struct pinreg_region *region, unsigned char *home,
		     uint64_t offset, uint32_t length)
{
	static unsigned char wanted[ROOM];
	static unsigned int seed;
	struct pinreg_keys keys = rdma_keys(region);
	unsigned char *there = rdma_peer_buffer(peer);
	bool staged = method_of(region) == PINREG_METHOD_STAGED;

	rdma_pattern(home, ROOM, ++seed);
	memcpy(wanted, home, ROOM);
	test_ok(pinreg_region_refresh(region, 0, ROOM));
	rdma_pattern(there, ROOM, ++seed);
	test_ok(rdma_peer_write(peer, &keys, offset, length));
	if (staged)
		expect_same(home, wanted, "before commit, a write", offset, length);
	test_ok(pinreg_region_commit(region, offset, length));
	memcpy(wanted + offset, there, length);
	expect_same(home, wanted, "a write", offset, length);

	rdma_pattern(home, ROOM, ++seed);
	test_ok(pinreg_region_refresh(region, offset, length));
	memcpy(wanted, there, ROOM);
	memcpy(wanted, home + offset, length);
	test_ok(rdma_peer_read(peer, &keys, offset, length));
	expect_same(there, wanted, "a read", offset, length);
}

static void move_all(struct pinreg_region *region, unsigned char *home)
{
	struct rdma_peer *peer = rdma_peer_open();
	for (size_t i = 0; i < PLACES; i++)
		move_one(peer, region, home, places[i].offset, places[i].length);
	rdma_peer_close(peer);
}

static unsigned char *anonymous(void)
{
	return map_or_fail(ROOM, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void method__the_port_has_packets_of_4096(void **state)
{
	(void)state;
	struct pinreg_domain_info info = { .size = sizeof(info) };
	test_ok(pinreg_domain_query(rdma_domain(NULL), &info));
	assert_int_equal(info.active_mtu, 4096);
}

static void pin__odd_places(void **state)
{
	(void)state;
	struct pinreg_region_opts opts = { .size = sizeof(opts), .method = PINREG_METHOD_PIN };
	unsigned char *home = anonymous();
	struct pinreg_region *region = rdma_register(home, ROOM, &opts);
	move_all(region, home);
	test_ok(pinreg_region_deregister(region));
}

/* With pages fetched before they are asked for, where the provider can. */
static void odp__as_far_as_it_is_trusted(void **state)
{
	(void)state;
	struct pinreg_region_opts opts = {
		.size = sizeof(opts),
		.method = PINREG_METHOD_ODP,
		.prefetch = 1,
	};
	unsigned char *home = anonymous();
	struct pinreg_region *region = NULL;
	struct pinreg_why why;
	if (rdma_trust() == PINREG_TRUST_FULL) {
		region = rdma_register(home, ROOM, &opts);
		move_all(region, home);
		test_ok(pinreg_region_deregister(region));
		return;
	}
	assert_int_equal(
		pinreg_region_register(rdma_domain(NULL), home, ROOM, &opts, &why, &region),
		-EOPNOTSUPP);
	assert_int_equal(why.reason, rdma_has_odp() ? PINREG_REASON_ODP_GRANULARITY
						    : PINREG_REASON_ODP_MISSING);
	if (rdma_trust() != PINREG_TRUST_PAGE)
		return;
	opts.granularity = PINREG_GRANULARITY_PAGE;
	region = rdma_register(home, ROOM, &opts);
	struct rdma_peer *peer = rdma_peer_open();
	move_one(peer, region, home, 0, 4096);
	move_one(peer, region, home, 8192, 65536);
	move_one(peer, region, home, 0, ROOM);
	rdma_peer_close(peer);
	test_ok(pinreg_region_deregister(region));
}

/* Of memory that does not begin at a page either. */
static void staged__odd_places(void **state)
{
	(void)state;
	struct pinreg_region_opts opts = { .size = sizeof(opts), .method = PINREG_METHOD_STAGED };
	unsigned char *home = map_or_fail(2 * ROOM, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	struct pinreg_region *region = rdma_register(home + 1234, ROOM, &opts);
	assert_int_not_equal(rdma_keys(region).addr, (uintptr_t)home + 1234);
	move_all(region, home + 1234);
	for (size_t i = 0; i < 1234; i++)
		assert_int_equal(home[i] | home[1234 + ROOM + i], 0);
	test_ok(pinreg_region_deregister(region));
}

/* Where the plan finds no other way: DAX, and page cache that is written. */
static void staged__is_what_auto_finds_for_files(void **state)
{
	(void)state;
	static const char *const folders[] = { "/pmem/ext4", "/pmem/xfs", "/var/tmp" };
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char path[256];
		int fd = file_in(folders[i], "methods", ROOM, path, sizeof(path));
		unsigned char *home = map_or_fail(ROOM, RW, MAP_SHARED, fd);
		struct pinreg_region *region = rdma_register(home, ROOM, NULL);
		assert_int_equal(method_of(region), rdma_trust() == PINREG_TRUST_FULL
							    ? PINREG_METHOD_ODP
							    : PINREG_METHOD_STAGED);
		move_all(region, home);
		test_ok(pinreg_region_deregister(region));
		munmap(home, ROOM);
		close(fd);
		unlink(path);
	}
}

/* Work requests address something else than the memory. */
static void iova__another_address(void **state)
{
	(void)state;
	for (int staged = 0; staged < 2; staged++) {
		struct pinreg_region_opts opts = {
			.size = sizeof(opts),
			.method = staged ? PINREG_METHOD_STAGED : PINREG_METHOD_PIN,
			.iova = UINT64_C(0x5500000000),
		};
		struct pinreg_plan plan = { .size = sizeof(plan) };
		unsigned char *home = anonymous();
		test_ok(pinreg_plan(rdma_domain(NULL), home, ROOM, &opts, &plan));
		assert_int_equal(plan.iova, opts.iova);
		struct pinreg_region *region = rdma_register(home, ROOM, &opts);
		assert_int_equal(rdma_keys(region).addr, opts.iova);
		move_all(region, home);
		test_ok(pinreg_region_deregister(region));
	}
}

static void iova__none_with_odp(void **state)
{
	(void)state;
	struct pinreg_region_opts opts = {
		.size = sizeof(opts),
		.method = PINREG_METHOD_ODP,
		.granularity = PINREG_GRANULARITY_PAGE,
		.iova = UINT64_C(0x5500000000),
	};
	struct pinreg_region *region = NULL;
	struct pinreg_why why;
	assert_int_equal(
		pinreg_region_register(rdma_domain(NULL), anonymous(), ROOM, &opts, &why, &region),
		-EOPNOTSUPP);
	assert_int_equal(why.reason,
			 rdma_has_odp() ? PINREG_REASON_IOVA : PINREG_REASON_ODP_MISSING);
}

/* The kernel wants both at the same place in their pages. */
static void iova__at_another_place_in_the_page(void **state)
{
	(void)state;
	struct pinreg_region_opts opts = { .size = sizeof(opts), .iova = 0x5500000001 };
	struct pinreg_region *region = NULL;
	struct pinreg_why why;
	unsigned char *home = anonymous();
	assert_int_equal(
		pinreg_region_register(rdma_domain(NULL), home, ROOM, &opts, &why, &region),
		-EINVAL);
	assert_int_equal(why.reason, PINREG_REASON_IOVA);
	assert_int_equal(why.wanted, 1);
	assert_int_equal(why.used, 0);
	assert_null(ibv_reg_mr_iova(rdma_pd(), home, ROOM, opts.iova, IBV_ACCESS_LOCAL_WRITE));
	assert_int_equal(errno, EINVAL);
}

/* The page that was pinned must be the one that is stored to later. */
static void read_only__store_after_registering(void **state)
{
	(void)state;
	struct pinreg_region_opts opts = { .size = sizeof(opts), .read_only = 1 };
	for (unsigned int no_populate = 0; no_populate < 2; no_populate++) {
		opts.no_populate = no_populate;
		unsigned char *home = anonymous();
		struct pinreg_region *region = rdma_register(home, ROOM, &opts);
		struct pinreg_keys keys = rdma_keys(region);
		struct rdma_peer *peer = rdma_peer_open();
		assert_int_equal(method_of(region), PINREG_METHOD_PIN);
		rdma_pattern(home, ROOM, 31);
		test_ok(rdma_peer_read(peer, &keys, 0, ROOM));
		rdma_expect(rdma_peer_buffer(peer), ROOM, 31);
		assert_int_equal(rdma_peer_write(peer, &keys, 0, 64), -EREMOTEIO);
		rdma_peer_close(peer);
		test_ok(pinreg_region_deregister(region));
	}
}

/* Two who write into pinned pages without the processor: the disk and the peer. */
static void pin__filled_by_direct_io(void **state)
{
	(void)state;
	unsigned char *data = anonymous(), *home = anonymous();
	char path[256];
	rdma_pattern(data, ROOM, 41);
	int fd = file_in("/var/tmp", "methods", ROOM, path, sizeof(path));
	assert_int_equal(pwrite(fd, data, ROOM, 0), ROOM);
	test_ok(fsync(fd));
	close(fd);
	struct pinreg_region *region = rdma_register(home, ROOM, NULL);
	struct pinreg_keys keys = rdma_keys(region);
	struct rdma_peer *peer = rdma_peer_open();
	fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	test_ok(fd);
	assert_int_equal(pread(fd, home, ROOM, 0), ROOM);
	test_ok(rdma_peer_read(peer, &keys, 0, ROOM));
	rdma_expect(rdma_peer_buffer(peer), ROOM, 41);
	close(fd);
	rdma_peer_close(peer);
	test_ok(pinreg_region_deregister(region));
	unlink(path);
}

/* A child that stores to all of it for a while. */
static pid_t start_child(unsigned char *memory)
{
	pid_t child = fork();
	test_ok(child);
	if (!child) {
		for (int i = 0; i < 20; i++) {
			memset(memory, 0xe0 + i, ROOM);
			usleep(500);
		}
		_exit(memory[ROOM - 1] == 0xe0 + 19 ? 0 : 1);
	}
	return child;
}

static void fork__child_that_touches_and_goes(void **state)
{
	(void)state;
	unsigned char *home = anonymous();
	struct pinreg_region *region = rdma_register(home, ROOM, NULL);
	struct rdma_peer *peer = rdma_peer_open();
	unsigned int moved = 0;
	for (int i = 0; i < 5; i++) {
		pid_t child = start_child(home);
		int status = 0;
		do {
			move_one(peer, region, home, 1 + moved % 5000, 60001);
			moved++;
		} while (!waitpid(child, &status, WNOHANG) || moved % 5);
		assert_int_equal(status, 0);
	}
	printf("%u transfers both ways beside 5 children\n", moved);
	rdma_peer_close(peer);
	test_ok(pinreg_region_deregister(region));
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(method__the_port_has_packets_of_4096),
	cmocka_unit_test(pin__odd_places),
	cmocka_unit_test(odp__as_far_as_it_is_trusted),
	cmocka_unit_test(staged__odd_places),
	cmocka_unit_test(staged__is_what_auto_finds_for_files),
	cmocka_unit_test(iova__another_address),
	cmocka_unit_test(iova__none_with_odp),
	cmocka_unit_test(iova__at_another_place_in_the_page),
	cmocka_unit_test(read_only__store_after_registering),
	cmocka_unit_test(pin__filled_by_direct_io),
	cmocka_unit_test(fork__child_that_touches_and_goes),
};

TEST_MAIN(cases)
