/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_populate_guest.c -- registering large memory that nobody has touched:
 * what peers write and read is what the process sees.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/rdma.h"
#include "support/runs.h"
#include "support/test.h"

#define MIB ((size_t)1 << 20)
#define LENGTH (64 * MIB)
#define PIECE (64u << 10)

static unsigned char *anonymous(int prot)
{
	return map_or_fail(LENGTH, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static struct pinreg_region *register_ok(void *addr, size_t length, unsigned int access,
					 unsigned int no_populate)
{
	struct pinreg_region_opts opts = {
		.size = sizeof(opts),
		.access = access,
		.no_populate = no_populate,
	};
	struct pinreg_region *region = NULL;
	struct pinreg_why why;
	if (pinreg_region_register(rdma_domain(NULL), addr, length, &opts, &why, &region))
		fail_msg("%s", rdma_sentence(&why));
	return region;
}

static struct pinreg_keys keys_of(struct pinreg_region *region)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	test_ok(pinreg_region_keys(region, &keys));
	return keys;
}

/* A store at several places of memory, also its ends, is what a peer reads. */
static void peer_sees_stores(struct pinreg_region *region, unsigned char *memory, size_t length)
{
	static const unsigned int places = 9;
	struct pinreg_keys keys = keys_of(region);
	struct rdma_peer *peer = rdma_peer_open();
	for (unsigned int i = 0; i < places; i++) {
		uint64_t offset = (length - PIECE) / (places - 1) * i;
		rdma_pattern(memory + offset, PIECE, i);
		test_ok(rdma_peer_read(peer, &keys, offset, PIECE));
		rdma_expect(rdma_peer_buffer(peer), PIECE, i);
	}
	rdma_peer_close(peer);
}

static void process_sees_writes(struct pinreg_region *region, const unsigned char *memory,
				size_t length)
{
	static const unsigned int places = 9;
	struct pinreg_keys keys = keys_of(region);
	struct rdma_peer *peer = rdma_peer_open();
	for (unsigned int i = 0; i < places; i++) {
		uint64_t offset = (length - PIECE) / (places - 1) * i;
		rdma_pattern(rdma_peer_buffer(peer), PIECE, 100 + i);
		test_ok(rdma_peer_write(peer, &keys, offset, PIECE));
		test_ok(pinreg_region_commit(region, offset, PIECE));
		rdma_expect(memory + offset, PIECE, 100 + i);
	}
	rdma_peer_close(peer);
}

static void both_ways(unsigned char *memory, size_t length, unsigned int no_populate)
{
	struct pinreg_region *region = register_ok(memory, length, 0, no_populate);
	process_sees_writes(region, memory, length);
	peer_sees_stores(region, memory, length);
	test_ok(pinreg_region_deregister(region));
}

static void cold__anonymous_memory(void **state)
{
	(void)state;
	both_ways(anonymous(PROT_READ | PROT_WRITE), LENGTH, 0);
}

static void cold__odd_start_and_length(void **state)
{
	(void)state;
	both_ways(anonymous(PROT_READ | PROT_WRITE) + 12345, LENGTH - 54321, 0);
}

static void cold__not_populated_on_request(void **state)
{
	(void)state;
	both_ways(anonymous(PROT_READ | PROT_WRITE), LENGTH, 1);
}

static void cold__memfd(void **state)
{
	(void)state;
	int fd = memfd_create("test", MFD_CLOEXEC);
	test_ok(ftruncate(fd, LENGTH));
	both_ways(map_or_fail(LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, fd), LENGTH, 0);
}

static void cold__data_from_before_is_seen(void **state)
{
	(void)state;
	unsigned char *memory = anonymous(PROT_READ | PROT_WRITE);
	uint64_t offset = LENGTH / 2 + 777;
	rdma_pattern(memory + offset, PIECE, 1);
	struct pinreg_region *region = register_ok(memory, LENGTH, 0, 0);
	struct pinreg_keys keys = keys_of(region);
	struct rdma_peer *peer = rdma_peer_open();
	rdma_expect(memory + offset, PIECE, 1);
	test_ok(rdma_peer_read(peer, &keys, offset, PIECE));
	rdma_expect(rdma_peer_buffer(peer), PIECE, 1);
	rdma_peer_close(peer);
	test_ok(pinreg_region_deregister(region));
}

/* Would a pin of the page of zeros be what the peer reads from for ever? */
static void read_only__store_after_registration_is_seen(void **state)
{
	(void)state;
	unsigned char *memory = anonymous(PROT_READ | PROT_WRITE);
	struct pinreg_region *region = register_ok(memory, LENGTH, IBV_ACCESS_REMOTE_READ, 0);
	peer_sees_stores(region, memory, LENGTH);
	test_ok(pinreg_region_deregister(region));
}

static void read_only__store_where_the_zero_page_was(void **state)
{
	(void)state;
	unsigned char *memory = anonymous(PROT_READ | PROT_WRITE);
	unsigned int sum = 0;
	for (size_t i = 0; i < LENGTH; i += page_size())
		sum += ((volatile unsigned char *)memory)[i];
	assert_int_equal(sum, 0);
	struct pinreg_region *region = register_ok(memory, LENGTH, IBV_ACCESS_REMOTE_READ, 0);
	peer_sees_stores(region, memory, LENGTH);
	test_ok(pinreg_region_deregister(region));
}

static void read_only__mapping_made_writable_later(void **state)
{
	(void)state;
	unsigned char *memory = anonymous(PROT_READ);
	struct pinreg_region *region = register_ok(memory, LENGTH, IBV_ACCESS_REMOTE_READ, 0);
	test_ok(mprotect(memory, LENGTH, PROT_READ | PROT_WRITE));
	peer_sees_stores(region, memory, LENGTH);
	test_ok(pinreg_region_deregister(region));
}

static int give_up(void *context, uint64_t done, uint64_t total)
{
	(void)context;
	(void)done;
	(void)total;
	return 1;
}

static void cancel__leaves_nothing_registered(void **state)
{
	(void)state;
	struct pinreg_region_opts opts = { .size = sizeof(opts), .progress = give_up };
	struct pinreg_region *region = NULL;
	struct pinreg_why why;
	struct pinreg_domain *domain = rdma_domain(NULL);
	assert_int_equal(pinreg_region_register(domain, anonymous(PROT_READ | PROT_WRITE), LENGTH,
						&opts, &why, &region),
			 -ECANCELED);
	assert_null(region);
	assert_int_equal(why.error, -ECANCELED);
	test_ok(pinreg_domain_close(domain));
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(cold__anonymous_memory),
	cmocka_unit_test(cold__odd_start_and_length),
	cmocka_unit_test(cold__not_populated_on_request),
	cmocka_unit_test(cold__memfd),
	cmocka_unit_test(cold__data_from_before_is_seen),
	cmocka_unit_test(read_only__store_after_registration_is_seen),
	cmocka_unit_test(read_only__store_where_the_zero_page_was),
	cmocka_unit_test(read_only__mapping_made_writable_later),
	cmocka_unit_test(cancel__leaves_nothing_registered),
};

TEST_MAIN(cases)
