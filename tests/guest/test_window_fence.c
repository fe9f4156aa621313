/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_window_fence.c -- leased DAX files whose peers come through memory windows:
 * what a break takes from them, and what they find when the file is back.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/hooks.h"
#include "support/host.h"
#include "support/leased.h"
#include "support/rdma.h"
#include "support/test.h"
#include "support/window_peer.h"

#define LENGTH (1u << 20)
#define REMOTE_RIGHTS (IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC)

static struct leased leased; /* the file, and a region on all of it */
static struct pinreg_event event;

static void expect_dead(const struct window_peer *peer)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	assert_int_equal(pinreg_window_keys(peer->window, &keys), -ESTALE);
}

static void expect_no_admission(struct window_peer *peer)
{
	struct pinreg_window *none;
	assert_int_equal(pinreg_window_bind(leased.region, peer->pair.qp[QP_OWNER], NULL, &none),
			 -EAGAIN);
}

static void answer_break(void)
{
	test_ok(pinreg_file_ack(leased.file, event.generation));
	host_expect(rdma_domain(NULL), PINREG_EVENT_FENCED, &event);
}

/* ---- files, and ways to register them -------------------------------------- */

static void open_file(const char *mount, enum pinreg_method method)
{
	struct pinreg_region_opts opts = {
		.size = sizeof(opts),
		.granularity = PINREG_GRANULARITY_PAGE,
		.method = method,
		.windows = 1,
	};
	struct pinreg_region_info info = { .size = sizeof(info) };
	struct pinreg_why why;
	leased_open(&leased, mount, LENGTH);
	if (pinreg_file_register(leased.file, 0, 0, &opts, &why, &leased.region))
		fail_msg("%s: %s", mount, rdma_sentence(&why));
	test_ok(pinreg_region_query(leased.region, &info));
	if (method == PINREG_METHOD_STAGED || !rdma_has_odp())
		assert_int_equal(info.method, PINREG_METHOD_STAGED);
	else
		assert_int_equal(info.method, PINREG_METHOD_ODP);
}

/* Nothing of the protection domain is left: else the device would keep it. */
static void expect_nothing_left(void)
{
	struct pinreg_domain_info info = { .size = sizeof(info) };
	test_ok(pinreg_domain_query(rdma_domain(NULL), &info));
	assert_int_equal(info.pinned, 0);
	test_ok(pinreg_domain_close(rdma_domain(NULL)));
	test_ok(-ibv_dealloc_pd(rdma_pd()));
}

/* A check with a file on each filesystem, by what the plan chooses and by a shadow. */
static void with_each_file(void (*check)(void))
{
	static const enum pinreg_method methods[] = { PINREG_METHOD_AUTO, PINREG_METHOD_STAGED };
	struct pinreg_domain_info info = { .size = sizeof(info) };
	test_ok(pinreg_domain_query(rdma_domain(NULL), &info));
	if (!(info.memory_windows & 6))
		test_skip("the device has no memory windows of type 2");
	for (size_t i = 0; i < LEASED_MOUNTS; i++) {
		for (size_t j = 0; j < 2; j++) {
			open_file(leased_mounts[i], methods[j]);
			check();
			leased_remove(&leased);
		}
	}
	expect_nothing_left();
}

/* ---- the cases ----------------------------------------------------------------- */

static void check_the_only_way_in(void)
{
	struct pinreg_keys own = rdma_keys(leased.region);
	struct pinreg_region_info info = { .size = sizeof(info) };
	struct window_peer peer;
	assert_int_equal(own.rkey, 0);
	test_ok(pinreg_region_query(leased.region, &info));
	assert_int_equal(info.access & REMOTE_RIGHTS, 0);
	window_peer_come(&peer);
	window_peer_admit(&peer, &leased);
	assert_int_equal(peer.keys.addr, own.addr);
	assert_int_equal(peer.keys.generation, own.generation);
	window_peer_store(&peer, &leased, WINDOW_PEER_PIECE, 3);
	rdma_expect(window_peer_load(&peer, WINDOW_PEER_PIECE), WINDOW_PEER_PIECE, 3);

	/* a device of software has one number for both keys of a region */
	peer.keys.rkey = own.lkey;
	assert_int_equal(window_peer_move(&peer, IBV_WR_RDMA_WRITE, 0), IBV_WC_REM_ACCESS_ERR);
	test_ok(pinreg_region_commit(leased.region, 0, WINDOW_PEER_PIECE));
	for (size_t at = 0; at < WINDOW_PEER_PIECE; at++)
		assert_int_equal(leased.memory[at], 0);
	window_peer_leave(&peer);
}

static void window__is_the_only_way_in(void **state)
{
	(void)state;
	with_each_file(check_the_only_way_in);
}

/* One uses its key too late and connects again; the other was silent meanwhile. */
static void check_break(void)
{
	struct window_peer late, silent;
	window_peer_come(&late);
	window_peer_come(&silent);
	window_peer_admit(&late, &leased);
	window_peer_admit(&silent, &leased);
	assert_int_not_equal(late.keys.rkey, silent.keys.rkey);
	window_peer_store(&late, &leased, 0, 5);
	window_peer_store(&silent, &leased, WINDOW_PEER_PIECE, 6);

	int breaker = host_stay("exec 9<>'%s'; printf changed >&9", leased.path);
	host_expect(rdma_domain(NULL), PINREG_EVENT_BREAK, &event);
	expect_no_admission(&silent);
	answer_break();
	expect_dead(&late);
	expect_dead(&silent);
	expect_no_admission(&silent);
	assert_int_equal(pinreg_region_deregister(leased.region), -EBUSY);
	assert_int_equal(window_peer_move(&late, IBV_WR_RDMA_WRITE, 2 * WINDOW_PEER_PIECE),
			 IBV_WC_REM_ACCESS_ERR);
	window_peer_leave(&late);
	assert_int_equal(host_let_go(breaker), 0);

	host_expect(rdma_domain(NULL), PINREG_EVENT_RESTORED, &event);
	assert_int_equal(event.generation, 2);
	assert_int_equal(event.zeroed, 0);
	expect_dead(&silent);
	uint32_t old_key = silent.keys.rkey;
	test_ok(pinreg_window_close(silent.window));
	window_peer_come(&late);
	window_peer_admit(&late, &leased);
	window_peer_admit(&silent, &leased);
	assert_int_equal(late.keys.generation, 2);
	assert_int_equal(silent.keys.generation, 2);
	/* what the breaker did is to be seen, and all else as it was */
	assert_memory_equal(window_peer_load(&late, 0), "changed", 7);
	rdma_pattern(late.buffer->addr, 7, 5);
	rdma_expect(late.buffer->addr, WINDOW_PEER_PIECE, 5);
	rdma_expect(window_peer_load(&silent, WINDOW_PEER_PIECE), WINDOW_PEER_PIECE, 6);
	const unsigned char *seen = window_peer_load(&silent, 2 * WINDOW_PEER_PIECE);
	for (size_t at = 0; at < WINDOW_PEER_PIECE; at++)
		assert_int_equal(seen[at], 0);
	window_peer_store(&late, &leased, 3 * WINDOW_PEER_PIECE, 7);
	window_peer_store(&silent, &leased, 4 * WINDOW_PEER_PIECE, 8);

	silent.keys.rkey = old_key;
	assert_int_equal(window_peer_move(&silent, IBV_WR_RDMA_WRITE, 2 * WINDOW_PEER_PIECE),
			 IBV_WC_REM_ACCESS_ERR);
	window_peer_leave(&silent);
	window_peer_leave(&late);
}

static void window__dies_with_a_break_and_another_comes(void **state)
{
	(void)state;
	with_each_file(check_break);
}

struct writer {
	struct window_peer *peer;
	_Atomic(unsigned int) writes;
	enum ibv_wc_status status;
};

static void *write_until_error(void *context)
{
	struct writer *writer = context;
	do {
		writer->status = window_peer_move(writer->peer, IBV_WR_RDMA_WRITE,
						  writer->writes % (LENGTH / WINDOW_PEER_PIECE) *
							  WINDOW_PEER_PIECE);
		writer->writes += writer->status == IBV_WC_SUCCESS;
	} while (writer->status == IBV_WC_SUCCESS && writer->writes < 100000);
	return NULL;
}

static void check_truncate(void)
{
	struct window_peer peer;
	struct writer writer = { .peer = &peer };
	pthread_t thread;
	window_peer_come(&peer);
	window_peer_admit(&peer, &leased);
	window_peer_store(&peer, &leased, 0, 9);
	assert_int_equal(pthread_create(&thread, NULL, write_until_error, &writer), 0);
	while (!writer.writes)
		hooks_nap(1);

	int breaker = host_start_truncate(leased.path, 8192);
	host_expect(rdma_domain(NULL), PINREG_EVENT_BREAK, &event);
	answer_break();
	assert_true(event.held_up_ns < 100000000);
	pthread_join(thread, NULL);
	assert_int_equal(writer.status, IBV_WC_REM_ACCESS_ERR);
	assert_int_equal(host_wait(breaker), 0);

	host_expect(rdma_domain(NULL), PINREG_EVENT_RESTORED, &event);
	assert_int_equal(event.new_size, 8192);
	rdma_expect(leased.memory, 8192, 9);
	/* nothing landed late */
	for (size_t at = 8192; at < LENGTH; at++)
		assert_int_equal(leased.memory[at], 0);
	window_peer_leave(&peer);
	window_peer_come(&peer);
	window_peer_admit(&peer, &leased);
	const unsigned char *seen = window_peer_load(&peer, LENGTH - WINDOW_PEER_PIECE);
	for (size_t at = 0; at < WINDOW_PEER_PIECE; at++)
		assert_int_equal(seen[at], 0);
	window_peer_store(&peer, &leased, LENGTH - WINDOW_PEER_PIECE, 10);
	window_peer_leave(&peer);
}

static void window__dies_under_a_peer_that_writes(void **state)
{
	(void)state;
	with_each_file(check_truncate);
}

static void check_busy(void)
{
	struct window_peer first, second;
	window_peer_come(&first);
	window_peer_come(&second);
	window_peer_admit(&first, &leased);
	window_peer_admit(&second, &leased);
	assert_int_equal(pinreg_region_deregister(leased.region), -EBUSY);
	window_peer_store(&first, &leased, 0, 11);
	window_peer_leave(&first);
	assert_int_equal(pinreg_region_deregister(leased.region), -EBUSY);
	/* nothing has happened to it */
	window_peer_store(&second, &leased, WINDOW_PEER_PIECE, 12);
	window_peer_leave(&second);
	test_ok(pinreg_region_deregister(leased.region));
	leased.region = NULL;
}

static void region__is_busy_while_a_window_is_open(void **state)
{
	(void)state;
	with_each_file(check_busy);
}

/* Something long for the owner's queue pair to send; what is posted next waits. */
#define LONG (64u << 20)

static void send_long(struct window_peer *peer, const struct ibv_mr *mr)
{
	struct ibv_sge piece = {
		.addr = (uintptr_t)mr->addr,
		.length = LONG,
		.lkey = mr->lkey,
	};
	struct ibv_send_wr request = {
		.sg_list = &piece,
		.num_sge = 1,
		.opcode = IBV_WR_RDMA_WRITE,
		.wr.rdma = { .remote_addr = (uintptr_t)mr->addr + LONG, .rkey = mr->rkey },
	};
	struct ibv_send_wr *bad;
	test_ok(-ibv_post_send(peer->pair.qp[QP_OWNER], &request, &bad));
}

static void check_overtaken(void)
{
	struct window_peer peer;
	void *memory = aligned_alloc(4096, 2 * LONG);
	assert_non_null(memory);
	memset(memory, 1, 2 * LONG);
	struct ibv_mr *mr = ibv_reg_mr(rdma_pd(), memory, 2 * LONG,
				       IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE);
	assert_non_null(mr);
	window_peer_come(&peer);
	send_long(&peer, mr);
	test_ok(pinreg_window_bind(leased.region, peer.pair.qp[QP_OWNER], NULL, &peer.window));
	peer.keys = (struct pinreg_keys){ .size = sizeof(peer.keys) };
	test_ok(pinreg_window_keys(peer.window, &peer.keys));
	/* who does not wait breaks the lease all the same */
	assert_int_equal(open(leased.path, O_RDWR | O_NONBLOCK | O_CLOEXEC), -1);
	assert_int_equal(errno, EWOULDBLOCK);
	host_expect(rdma_domain(NULL), PINREG_EVENT_BREAK, &event);
	answer_break();
	expect_dead(&peer);
	/* fenced while the long message was under way, or this shows nothing */
	struct ibv_wc done;
	assert_int_equal(ibv_poll_cq(peer.pair.cq[QP_OWNER], 1, &done), 0);
	/* the bind fails and takes the queue pair along, so its peer reaches nothing */
	enum ibv_wc_status message = qp_pair_wait(&peer.pair, QP_OWNER);
	enum ibv_wc_status bind = qp_pair_wait(&peer.pair, QP_OWNER);
	printf("message: %s, bind: %s\n", ibv_wc_status_str(message), ibv_wc_status_str(bind));
	assert_int_not_equal(bind, IBV_WC_SUCCESS);
	qp_pair_wait_error(&peer.pair, QP_OWNER);
	host_expect(rdma_domain(NULL), PINREG_EVENT_RESTORED, &event);
	window_peer_leave(&peer);
	test_ok(-ibv_dereg_mr(mr));
	free(memory);
	window_peer_come(&peer);
	window_peer_admit(&peer, &leased);
	window_peer_store(&peer, &leased, 0, 13);
	window_peer_leave(&peer);
}

/* The request waits in the queue when the fence comes: it must bind nothing then. */
static void window__fenced_before_it_is_bound(void **state)
{
	(void)state;
	with_each_file(check_overtaken);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(window__is_the_only_way_in),
	cmocka_unit_test(window__dies_with_a_break_and_another_comes),
	cmocka_unit_test(window__dies_under_a_peer_that_writes),
	cmocka_unit_test(window__fenced_before_it_is_bound),
	cmocka_unit_test(region__is_busy_while_a_window_is_open),
};

TEST_MAIN(cases)
