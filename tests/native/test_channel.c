/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_channel.c -- messages to a peer that go over a queue pair.
 */
#include <errno.h>
#include <string.h>

#include <pinreg/pinreg.h>

#include "support/test.h"

static struct ibv_send_wr posted;
static unsigned char posted_bytes[PINREG_DESCRIPTOR_LENGTH];
static int post_status;

static int post_send(struct ibv_qp *qp, struct ibv_send_wr *request, struct ibv_send_wr **refused)
{
	(void)qp;
	if (post_status) {
		*refused = request;
		return post_status;
	}
	posted = *request;
	assert_null(request->next);
	assert_int_equal(request->num_sge, 1);
	assert_int_equal(request->sg_list->length, sizeof(posted_bytes));
	memcpy(posted_bytes, (void *)(uintptr_t)request->sg_list->addr, sizeof(posted_bytes));
	return 0;
}

static void channel__posts_one_inline_send(void **state)
{
	(void)state;
	struct ibv_context verbs = { .ops = { .post_send = post_send } };
	struct ibv_qp qp = { .context = &verbs };
	struct pinreg_qp_channel channel = { .size = sizeof(channel), .qp = &qp, .wr_id = 77 };
	unsigned char message[PINREG_DESCRIPTOR_LENGTH];
	memset(message, 0xa5, sizeof(message));
	test_ok(pinreg_qp_send(&channel, message, sizeof(message)));
	assert_int_equal(posted.wr_id, 77);
	assert_int_equal(posted.opcode, IBV_WR_SEND);
	assert_int_equal(posted.send_flags, IBV_SEND_INLINE | IBV_SEND_SIGNALED);
	assert_memory_equal(posted_bytes, message, sizeof(message));
	post_status = ENOMEM;
	assert_int_equal(pinreg_qp_send(&channel, message, sizeof(message)), -ENOMEM);
	assert_int_equal(pinreg_qp_send(NULL, message, sizeof(message)), -EINVAL);
	assert_int_equal(pinreg_qp_send(&channel, NULL, sizeof(message)), -EINVAL);
	assert_int_equal(pinreg_qp_send(&channel, message, 63), -EINVAL);
	channel.qp = NULL;
	assert_int_equal(pinreg_qp_send(&channel, message, sizeof(message)), -EINVAL);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(channel__posts_one_inline_send),
};

TEST_MAIN(cases)
