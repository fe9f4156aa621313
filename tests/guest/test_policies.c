/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_policies.c -- what becomes of DAX files that others take: real
 * filesystems, real leases, a real device.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/host.h"
#include "support/leased.h"
#include "support/rdma.h"
#include "support/test.h"

#define LENGTH (4u << 20)

static struct pinreg_event event;

/* A peer stores a pattern by the region's keys of now, and it is in the memory then. */
static void peer_writes(struct leased *leased, unsigned int pattern)
{
	struct pinreg_keys keys = rdma_keys(leased->region);
	struct rdma_peer *peer = rdma_peer_open();
	rdma_pattern(rdma_peer_buffer(peer), 65536, pattern);
	test_ok(rdma_peer_write(peer, &keys, 0, 65536));
	test_ok(pinreg_region_commit(leased->region, 0, 65536));
	rdma_expect(leased->memory, 65536, pattern);
	rdma_peer_close(peer);
}

static void late_store__on_dax(void **state)
{
	(void)state;
	struct leased leased;
	for (size_t i = 0; i < LEASED_MOUNTS; i++) {
		leased_open(&leased, leased_mounts[i], LENGTH);
		leased_register_pages(&leased);
		peer_writes(&leased, 3);
		int other =
			host_start("exec 9<>'%s'; cp '%s' '%s.before'; sleep 1; "
				   "cmp '%s' '%s.before'",
				   leased.path, leased.path, leased.path, leased.path, leased.path);
		host_expect(rdma_domain(NULL), PINREG_EVENT_BREAK, &event);
		test_ok(pinreg_file_ack(leased.file, event.generation));
		host_expect(rdma_domain(NULL), PINREG_EVENT_FENCED, &event);
		memset(leased.memory, 0xee, LENGTH);
		assert_int_equal(leased.memory[LENGTH - 1], 0xee);
		/* he compares what he found with what is there after the stores */
		assert_int_equal(host_wait(other), 0);
		host_expect(rdma_domain(NULL), PINREG_EVENT_RESTORED, &event);
		assert_int_equal(event.zeroed, 0);
		rdma_expect(leased.memory, 65536, 3);
		peer_writes(&leased, 4);
		host_run("rm '%s.before'", leased.path);
		leased_remove(&leased);
	}
}

static void late_store__in_a_file_cut_to_nothing(void **state)
{
	(void)state;
	struct leased leased;
	for (size_t i = 0; i < LEASED_MOUNTS; i++) {
		leased_open(&leased, leased_mounts[i], LENGTH);
		leased_register_pages(&leased);
		int other = host_start("exec 9>'%s'; sleep 1; test ! -s '%s'", leased.path,
				       leased.path);
		host_expect(rdma_domain(NULL), PINREG_EVENT_BREAK, &event);
		host_expect(rdma_domain(NULL), PINREG_EVENT_FENCED, &event);
		struct stat look = { .st_size = 1 };
		for (unsigned int tries = 0; look.st_size && tries < 200; tries++) {
			usleep(5000);
			test_ok(stat(leased.path, &look));
		}
		assert_int_equal(look.st_size, 0);
		memset(leased.memory, 0xee, LENGTH);
		assert_int_equal(host_wait(other), 0);
		host_expect(rdma_domain(NULL), PINREG_EVENT_RESTORED, &event);
		assert_int_equal(event.zeroed, LENGTH);
		for (size_t at = 0; at < LENGTH; at++)
			assert_int_equal(leased.memory[at], 0);
		peer_writes(&leased, 5);
		leased_remove(&leased);
	}
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(late_store__on_dax),
	cmocka_unit_test(late_store__in_a_file_cut_to_nothing),
};

TEST_MAIN(cases)
