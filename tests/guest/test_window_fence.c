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
#include "support/qp_pair.h"
#include "support/rdma.h"
#include "support/test.h"

#define LENGTH (1u << 20)
#define PIECE 65536u
#define REMOTE_RIGHTS (IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC)

static struct leased leased; /* the file, and a region on all of it */
static struct pinreg_event event;

/* A peer with a buffer, and the window that the owner bound for it. */
struct visitor {
	struct qp_pair pair;
	struct ibv_mr *buffer;
	struct pinreg_window *window;
	struct pinreg_keys keys;
};

static void come(struct visitor *visitor)
{
	void *memory = aligned_alloc(4096, PIECE);
	assert_non_null(memory);
	qp_pair_open(&visitor->pair);
	visitor->buffer = ibv_reg_mr(rdma_pd(), memory, PIECE, IBV_ACCESS_LOCAL_WRITE);
	assert_non_null(visitor->buffer);
	visitor->window = NULL;
}

/* The owner lets it in, and it learns the key. */
static void admit(struct visitor *visitor)
{
	struct pinreg_window_opts opts = { .size = sizeof(opts), .wr_id = 77 };
	struct ibv_wc done = { .wr_id = 0 };
	test_ok(pinreg_window_bind(leased.region, visitor->pair.qp[QP_OWNER], &opts,
				   &visitor->window));
	for (unsigned int i = 0; i < 10000 && !done.wr_id; i++) {
		test_ok(ibv_poll_cq(visitor->pair.cq[QP_OWNER], 1, &done));
		hooks_nap(1);
	}
	assert_int_equal(done.wr_id, 77);
	assert_int_equal(done.status, IBV_WC_SUCCESS);
	visitor->keys = (struct pinreg_keys){ .size = sizeof(visitor->keys) };
	test_ok(pinreg_window_keys(visitor->window, &visitor->keys));
	assert_int_equal(visitor->keys.lkey, 0);
	assert_int_equal(visitor->keys.length, LENGTH);
}

static void leave(struct visitor *visitor)
{
	/* first: a window that is bound keeps its queue pair */
	test_ok(pinreg_window_close(visitor->window));
	qp_pair_close(&visitor->pair);
	void *memory = visitor->buffer->addr;
	test_ok(-ibv_dereg_mr(visitor->buffer));
	free(memory);
}

static enum ibv_wc_status move(struct visitor *visitor, enum ibv_wr_opcode opcode, uint64_t offset)
{
	return qp_pair_move(&visitor->pair, opcode, visitor->buffer, PIECE,
			    visitor->keys.addr + offset, visitor->keys.rkey);
}

/* It stores a pattern there, and that is in the file. */
static void store(struct visitor *visitor, uint64_t offset, unsigned int pattern)
{
	rdma_pattern(visitor->buffer->addr, PIECE, pattern);
	assert_int_equal(move(visitor, IBV_WR_RDMA_WRITE, offset), IBV_WC_SUCCESS);
	test_ok(pinreg_region_commit(leased.region, offset, PIECE));
	rdma_expect(leased.memory + offset, PIECE, pattern);
}

/* What it reads there is in its buffer. */
static const unsigned char *load(struct visitor *visitor, uint64_t offset)
{
	memset(visitor->buffer->addr, 0xee, PIECE);
	assert_int_equal(move(visitor, IBV_WR_RDMA_READ, offset), IBV_WC_SUCCESS);
	return visitor->buffer->addr;
}

static void expect_dead(const struct visitor *visitor)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	assert_int_equal(pinreg_window_keys(visitor->window, &keys), -ESTALE);
}

static void expect_no_admission(struct visitor *visitor)
{
	struct pinreg_window *none;
	assert_int_equal(pinreg_window_bind(leased.region, visitor->pair.qp[QP_OWNER], NULL, &none),
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
	struct visitor peer;
	assert_int_equal(own.rkey, 0);
	test_ok(pinreg_region_query(leased.region, &info));
	assert_int_equal(info.access & REMOTE_RIGHTS, 0);
	come(&peer);
	admit(&peer);
	assert_int_equal(peer.keys.addr, own.addr);
	assert_int_equal(peer.keys.generation, own.generation);
	store(&peer, PIECE, 3);
	rdma_expect(load(&peer, PIECE), PIECE, 3);

	/* a device of software has one number for both keys of a region */
	peer.keys.rkey = own.lkey;
	assert_int_equal(move(&peer, IBV_WR_RDMA_WRITE, 0), IBV_WC_REM_ACCESS_ERR);
	test_ok(pinreg_region_commit(leased.region, 0, PIECE));
	for (size_t at = 0; at < PIECE; at++)
		assert_int_equal(leased.memory[at], 0);
	leave(&peer);
}

static void window__is_the_only_way_in(void **state)
{
	(void)state;
	with_each_file(check_the_only_way_in);
}

/* One uses its key too late and connects again; the other was silent meanwhile. */
static void check_break(void)
{
	struct visitor late, silent;
	come(&late);
	come(&silent);
	admit(&late);
	admit(&silent);
	assert_int_not_equal(late.keys.rkey, silent.keys.rkey);
	store(&late, 0, 5);
	store(&silent, PIECE, 6);

	int breaker = host_start("exec 9<>'%s'; printf changed >&9; sleep 1", leased.path);
	host_expect(rdma_domain(NULL), PINREG_EVENT_BREAK, &event);
	expect_no_admission(&silent);
	answer_break();
	expect_dead(&late);
	expect_dead(&silent);
	expect_no_admission(&silent);
	assert_int_equal(pinreg_region_deregister(leased.region), -EBUSY);
	assert_int_equal(move(&late, IBV_WR_RDMA_WRITE, 2 * PIECE), IBV_WC_REM_ACCESS_ERR);
	leave(&late);
	assert_int_equal(host_wait(breaker), 0);

	host_expect(rdma_domain(NULL), PINREG_EVENT_RESTORED, &event);
	assert_int_equal(event.generation, 2);
	assert_int_equal(event.zeroed, 0);
	expect_dead(&silent);
	uint32_t old_key = silent.keys.rkey;
	test_ok(pinreg_window_close(silent.window));
	come(&late);
	admit(&late);
	admit(&silent);
	assert_int_equal(late.keys.generation, 2);
	assert_int_equal(silent.keys.generation, 2);
	/* what the breaker did is to be seen, and all else as it was */
	assert_memory_equal(load(&late, 0), "changed", 7);
	rdma_pattern(late.buffer->addr, 7, 5);
	rdma_expect(late.buffer->addr, PIECE, 5);
	rdma_expect(load(&silent, PIECE), PIECE, 6);
	const unsigned char *seen = load(&silent, 2 * PIECE);
	for (size_t at = 0; at < PIECE; at++)
		assert_int_equal(seen[at], 0);
	store(&late, 3 * PIECE, 7);
	store(&silent, 4 * PIECE, 8);

	silent.keys.rkey = old_key;
	assert_int_equal(move(&silent, IBV_WR_RDMA_WRITE, 2 * PIECE), IBV_WC_REM_ACCESS_ERR);
	leave(&silent);
	leave(&late);
}

static void window__dies_with_a_break_and_another_comes(void **state)
{
	(void)state;
	with_each_file(check_break);
}

struct writer {
	struct visitor *visitor;
	unsigned int writes;
	enum ibv_wc_status status;
};

static void *write_until_error(void *context)
{
	struct writer *writer = context;
	do {
		writer->status = move(writer->visitor, IBV_WR_RDMA_WRITE,
				      writer->writes % (LENGTH / PIECE) * PIECE);
		writer->writes += writer->status == IBV_WC_SUCCESS;
	} while (writer->status == IBV_WC_SUCCESS && writer->writes < 100000);
	return NULL;
}

static void check_truncate(void)
{
	struct visitor peer;
	struct writer writer = { .visitor = &peer };
	pthread_t thread;
	come(&peer);
	admit(&peer);
	store(&peer, 0, 9);
	assert_int_equal(pthread_create(&thread, NULL, write_until_error, &writer), 0);
	hooks_nap(200);

	int breaker = host_start_truncate(leased.path, 8192);
	host_expect(rdma_domain(NULL), PINREG_EVENT_BREAK, &event);
	answer_break();
	assert_true(event.held_up_ns < 100000000);
	pthread_join(thread, NULL);
	assert_int_equal(writer.status, IBV_WC_REM_ACCESS_ERR);
	assert_true(writer.writes > 0);
	assert_int_equal(host_wait(breaker), 0);

	host_expect(rdma_domain(NULL), PINREG_EVENT_RESTORED, &event);
	assert_int_equal(event.new_size, 8192);
	rdma_expect(leased.memory, 8192, 9);
	/* nothing landed late */
	for (size_t at = 8192; at < LENGTH; at++)
		assert_int_equal(leased.memory[at], 0);
	leave(&peer);
	come(&peer);
	admit(&peer);
	const unsigned char *seen = load(&peer, LENGTH - PIECE);
	for (size_t at = 0; at < PIECE; at++)
		assert_int_equal(seen[at], 0);
	store(&peer, LENGTH - PIECE, 10);
	leave(&peer);
}

static void window__dies_under_a_peer_that_writes(void **state)
{
	(void)state;
	with_each_file(check_truncate);
}

static void check_busy(void)
{
	struct visitor first, second;
	come(&first);
	come(&second);
	admit(&first);
	admit(&second);
	assert_int_equal(pinreg_region_deregister(leased.region), -EBUSY);
	store(&first, 0, 11);
	leave(&first);
	assert_int_equal(pinreg_region_deregister(leased.region), -EBUSY);
	/* nothing has happened to it */
	store(&second, PIECE, 12);
	leave(&second);
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

static void send_long(struct visitor *visitor, const struct ibv_mr *mr)
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
	test_ok(-ibv_post_send(visitor->pair.qp[QP_OWNER], &request, &bad));
}

static void check_overtaken(void)
{
	struct visitor peer;
	void *memory = aligned_alloc(4096, 2 * LONG);
	assert_non_null(memory);
	memset(memory, 1, 2 * LONG);
	struct ibv_mr *mr = ibv_reg_mr(rdma_pd(), memory, 2 * LONG,
				       IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE);
	assert_non_null(mr);
	come(&peer);
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
	struct ibv_qp_attr attr;
	struct ibv_qp_init_attr init;
	test_ok(-ibv_query_qp(peer.pair.qp[QP_OWNER], &attr, IBV_QP_STATE, &init));
	assert_int_equal(attr.qp_state, IBV_QPS_ERR);
	host_expect(rdma_domain(NULL), PINREG_EVENT_RESTORED, &event);
	leave(&peer);
	test_ok(-ibv_dereg_mr(mr));
	free(memory);
	come(&peer);
	admit(&peer);
	store(&peer, 0, 13);
	leave(&peer);
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
