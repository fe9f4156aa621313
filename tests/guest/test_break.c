/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_break.c -- DAX files with peers on them, taken away and given back.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "support/host.h"
#include "support/leased.h"
#include "support/rdma.h"
#include "support/test.h"

#define LENGTH (4u << 20)

/* A peer that writes until it meets an error. */
struct writer {
	struct rdma_peer *peer;
	struct pinreg_keys keys;
	_Atomic(unsigned int) writes;
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
	struct leased leased;
	struct pinreg_event event;
	for (size_t i = 0; i < LEASED_MOUNTS; i++) {
		leased_open(&leased, leased_mounts[i], LENGTH);
		leased_register_pages(&leased);
		struct writer writer = { .peer = rdma_peer_open(),
					 .keys = rdma_keys(leased.region) };
		pthread_t thread;
		rdma_pattern(rdma_peer_buffer(writer.peer), 65536, 5);
		pthread_create(&thread, NULL, write_until_error, &writer);
		while (!writer.writes)
			usleep(1000);
		test_ok(pinreg_region_commit(leased.region, 0, 65536));

		int breaker = host_start_truncate(leased.path, 8192);
		host_expect(rdma_domain(NULL), PINREG_EVENT_BREAK, &event);
		assert_int_equal(event.breaker, PINREG_BREAKER_WRITER);
		test_ok(pinreg_file_ack(leased.file, event.generation));
		host_expect(rdma_domain(NULL), PINREG_EVENT_FENCED, &event);
		printf("%s: held up for %.3f ms after %u writes\n", leased_mounts[i],
		       (double)event.held_up_ns / 1e6, writer.writes);
		assert_true(event.held_up_ns < 100000000);
		pthread_join(thread, NULL);
		assert_int_equal(writer.status, -EREMOTEIO);
		rdma_peer_close(writer.peer);
		assert_int_equal(host_wait(breaker), 0);

		host_expect(rdma_domain(NULL), PINREG_EVENT_RESTORED, &event);
		assert_int_equal(event.generation, 2);
		assert_int_equal(event.new_size, 8192);
		assert_int_equal(event.zeroed, LENGTH - 8192);
		struct pinreg_keys now = rdma_keys(leased.region);
		assert_int_equal(now.addr, writer.keys.addr);
		assert_int_not_equal(now.rkey, writer.keys.rkey);
		rdma_expect(leased.memory, 8192, 5);
		for (size_t at = 8192; at < LENGTH; at++)
			assert_int_equal(leased.memory[at], 0);

		/* the old key is dead, the new one works */
		struct rdma_peer *peer = rdma_peer_open();
		assert_int_equal(rdma_peer_write(peer, &writer.keys, 0, 4096), -EREMOTEIO);
		rdma_peer_close(peer);
		peer = rdma_peer_open();
		rdma_pattern(rdma_peer_buffer(peer), 65536, 6);
		test_ok(rdma_peer_write(peer, &now, 65536, 65536));
		test_ok(pinreg_region_commit(leased.region, 65536, 65536));
		rdma_expect(leased.memory + 65536, 65536, 6);
		rdma_peer_close(peer);
		leased_remove(&leased);
	}
}

static void break__with_every_region_of_a_file(void **state)
{
	(void)state;
	struct leased leased;
	struct pinreg_event event;
	struct pinreg_region *regions[8];
	struct pinreg_keys keys = { .size = sizeof(keys) };
	struct pinreg_region_opts opts = {
		.size = sizeof(opts),
		.granularity = PINREG_GRANULARITY_PAGE,
	};
	leased_open(&leased, leased_mounts[0], LENGTH);
	for (unsigned int i = 0; i < 8; i++)
		test_ok(pinreg_file_register(leased.file, i * 65536, 65536, &opts, NULL,
					     &regions[i]));
	assert_int_equal(host_run("exec 9<>'%s'", leased.path), 0);
	host_expect(rdma_domain(NULL), PINREG_EVENT_BREAK, &event);
	host_expect(rdma_domain(NULL), PINREG_EVENT_FENCED, &event);
	host_expect(rdma_domain(NULL), PINREG_EVENT_RESTORED, &event);
	struct rdma_peer *peer = rdma_peer_open();
	for (unsigned int i = 0; i < 8; i++) {
		test_ok(pinreg_region_keys(regions[i], &keys));
		assert_int_equal(keys.generation, 2);
		rdma_pattern(rdma_peer_buffer(peer), 65536, 20 + i);
		test_ok(rdma_peer_write(peer, &keys, 0, 65536));
		test_ok(pinreg_region_commit(regions[i], 0, 65536));
	}
	for (unsigned int i = 0; i < 8; i++) {
		rdma_expect(leased.memory + i * 65536, 65536, 20 + i);
		test_ok(pinreg_region_deregister(regions[i]));
	}
	rdma_peer_close(peer);
	leased_remove(&leased);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(break__truncate_while_a_peer_writes),
	cmocka_unit_test(break__with_every_region_of_a_file),
};

TEST_MAIN(cases)
