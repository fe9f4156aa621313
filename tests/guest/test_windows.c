/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_windows.c -- type 2 memory windows of the device itself: what fencing by
 * windows would lean on. See docs/kernel-facts.md, "Memory windows".
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "support/hooks.h"
#include "support/qp_pair.h"
#include "support/rdma.h"
#include "support/test.h"

#define LENGTH 65536u
#define RIGHTS (IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)

/* A peer with a buffer, and memory that it may reach through a window only. */
static struct {
	struct qp_pair pair;
	struct ibv_mr *buffer;
	struct ibv_mr *mr;
	struct ibv_mw *window;
	unsigned char *memory;
} scene;

static void *pages(size_t length)
{
	void *memory = aligned_alloc(4096, length);
	assert_non_null(memory);
	memset(memory, 0, length);
	return memory;
}

static void open_scene(uint32_t length, unsigned int access)
{
	struct pinreg_domain_info info = { .size = sizeof(info) };
	test_ok(pinreg_domain_query(rdma_domain(NULL), &info));
	if (!(info.memory_windows & 4))
		test_skip("the device has no memory windows of type 2B");
	qp_pair_open(&scene.pair);
	scene.memory = pages(length);
	scene.buffer = ibv_reg_mr(rdma_pd(), pages(length), length, IBV_ACCESS_LOCAL_WRITE);
	scene.mr = ibv_reg_mr(rdma_pd(), scene.memory, length,
			      IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_MW_BIND | access);
	scene.window = ibv_alloc_mw(rdma_pd(), IBV_MW_TYPE_2);
	assert_non_null(scene.buffer);
	assert_non_null(scene.mr);
	assert_non_null(scene.window);
	rdma_pattern(scene.buffer->addr, length, 3);
}

static void bind_part(uint64_t offset, uint64_t length)
{
	assert_int_equal(qp_pair_bind(&scene.pair, scene.window, scene.mr,
				      (uintptr_t)scene.memory + offset, length, RIGHTS),
			 IBV_WC_SUCCESS);
}

static enum ibv_wc_status write_to(struct qp_pair *pair, uint64_t offset, uint32_t length,
				   uint32_t rkey)
{
	return qp_pair_move(pair, IBV_WR_RDMA_WRITE, scene.buffer, length,
			    (uintptr_t)scene.memory + offset, rkey);
}

static void close_scene(void)
{
	/* first: a window that is bound keeps its queue pair */
	if (scene.window)
		test_ok(-ibv_dealloc_mw(scene.window));
	qp_pair_close(&scene.pair);
	void *buffer = scene.buffer->addr;
	test_ok(-ibv_dereg_mr(scene.mr));
	test_ok(-ibv_dereg_mr(scene.buffer));
	free(buffer);
	free(scene.memory);
}

static void window__of_a_region_without_remote_rights(void **state)
{
	(void)state;
	open_scene(LENGTH, 0);
	bind_part(0, LENGTH);
	assert_int_equal(write_to(&scene.pair, 4096, 8192, scene.window->rkey), IBV_WC_SUCCESS);
	rdma_expect(scene.memory + 4096, 8192, 3);
	assert_int_equal(qp_pair_move(&scene.pair, IBV_WR_RDMA_READ, scene.buffer, 4096,
				      (uintptr_t)scene.memory, scene.window->rkey),
			 IBV_WC_SUCCESS);
	assert_int_equal(((unsigned char *)scene.buffer->addr)[7], 0);
	/* the region's own key is useless to the peer */
	assert_int_equal(write_to(&scene.pair, 0, 4096, scene.mr->rkey), IBV_WC_REM_ACCESS_ERR);
	assert_int_equal(scene.memory[0], 0);
	close_scene();
}

static void window__is_of_one_queue_pair(void **state)
{
	(void)state;
	struct qp_pair other;
	open_scene(LENGTH, 0);
	qp_pair_open(&other);
	bind_part(0, LENGTH);
	assert_int_equal(write_to(&other, 0, 4096, scene.window->rkey), IBV_WC_REM_ACCESS_ERR);
	assert_int_equal(scene.memory[0], 0);
	qp_pair_close(&other);
	close_scene();
}

static void window__is_dead_when_deallocated(void **state)
{
	(void)state;
	open_scene(LENGTH, 0);
	bind_part(0, LENGTH);
	uint32_t rkey = scene.window->rkey;
	assert_int_equal(write_to(&scene.pair, 0, 4096, rkey), IBV_WC_SUCCESS);
	test_ok(-ibv_dealloc_mw(scene.window));
	scene.window = NULL;
	assert_int_equal(write_to(&scene.pair, 4096, 4096, rkey), IBV_WC_REM_ACCESS_ERR);
	assert_int_equal(scene.memory[4096], 0);
	close_scene();
}

/* Soft-RoCE compares addresses with the region only. */
static void window__reaches_beyond_its_part(void **state)
{
	(void)state;
	open_scene(LENGTH, 0);
	bind_part(8192, 8192);
	assert_int_equal(write_to(&scene.pair, 0, 4096, scene.window->rkey), IBV_WC_SUCCESS);
	rdma_expect(scene.memory, 4096, 3);
	close_scene();
}

static void window__region_is_busy_while_bound(void **state)
{
	(void)state;
	open_scene(LENGTH, 0);
	bind_part(0, LENGTH);
	assert_int_equal(ibv_dereg_mr(scene.mr), EINVAL);
	test_ok(-ibv_dealloc_mw(scene.window));
	scene.window = NULL;
	close_scene();
}

/* ---- a message that is on its way ---- */

#define LONG (64u << 20)

static void window__dies_in_the_middle_of_a_message(void **state)
{
	(void)state;
	open_scene(LONG, 0);
	bind_part(0, LONG);
	struct ibv_sge piece = {
		.addr = (uintptr_t)scene.buffer->addr,
		.length = LONG,
		.lkey = scene.buffer->lkey,
	};
	struct ibv_send_wr request = {
		.sg_list = &piece,
		.num_sge = 1,
		.opcode = IBV_WR_RDMA_WRITE,
		.wr.rdma = { .remote_addr = (uintptr_t)scene.memory, .rkey = scene.window->rkey },
	};
	struct ibv_send_wr *bad;
	test_ok(-ibv_post_send(scene.pair.qp[QP_PEER], &request, &bad));
	volatile unsigned char *far = scene.memory + LONG / 16 + 1;
	while (!*far)
		hooks_nap(1);
	test_ok(-ibv_dealloc_mw(scene.window));
	scene.window = NULL;
	assert_int_equal(qp_pair_wait(&scene.pair, QP_PEER), IBV_WC_REM_ACCESS_ERR);
	rdma_expect(scene.memory, LONG / 16, 3);
	assert_int_equal(scene.memory[LONG - 1], 0);
	assert_int_equal(scene.memory[LONG - 2], 0);
	close_scene();
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(window__of_a_region_without_remote_rights),
	cmocka_unit_test(window__is_of_one_queue_pair),
	cmocka_unit_test(window__is_dead_when_deallocated),
	cmocka_unit_test(window__reaches_beyond_its_part),
	cmocka_unit_test(window__region_is_busy_while_bound),
	cmocka_unit_test(window__dies_in_the_middle_of_a_message),
};

TEST_MAIN(cases)
