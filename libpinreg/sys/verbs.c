/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verbs.c -- the verbs that registration needs, with one error convention.
 */
#include <errno.h>

#include "sys/real.h"

int pinreg_real_device_query(struct ibv_context *context, struct ibv_device_attr_ex *out)
{
	return -ibv_query_device_ex(context, NULL, out);
}

int pinreg_real_port_query(struct ibv_context *context, unsigned int port,
			   struct ibv_port_attr *out)
{
	if (port > UINT8_MAX)
		return -EINVAL;
	return -ibv_query_port(context, (uint8_t)port, out);
}

/* Registering reports through errno only, and not every provider sets it. */
static int take(struct ibv_mr *mr, struct ibv_mr **out)
{
	if (!mr)
		return errno ? -errno : -EIO;
	*out = mr;
	return 0;
}

int pinreg_real_mr_register(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
			    unsigned int access, struct ibv_mr **out)
{
	errno = 0;
	if (iova == (uintptr_t)addr)
		return take(ibv_reg_mr(pd, addr, length, access), out);
	return take(ibv_reg_mr_iova(pd, addr, length, iova, access), out);
}

int pinreg_real_mr_register_dmabuf(struct ibv_pd *pd, int fd, uint64_t offset, size_t length,
				   uint64_t iova, unsigned int access, struct ibv_mr **out)
{
	errno = 0;
	return take(ibv_reg_dmabuf_mr(pd, offset, length, iova, fd, (int)access), out);
}

int pinreg_real_mr_prefetch(struct ibv_mr *mr, void *addr, uint64_t length, bool write)
{
	/* the length of one element is 32 bits */
	const uint64_t largest = UINT64_C(1) << 30;
	enum ibv_advise_mr_advice advice =
		write ? IBV_ADVISE_MR_ADVICE_PREFETCH_WRITE : IBV_ADVISE_MR_ADVICE_PREFETCH;
	while (length) {
		uint64_t part = length < largest ? length : largest;
		struct ibv_sge piece = {
			.addr = (uintptr_t)addr,
			.length = (uint32_t)part,
			.lkey = mr->lkey,
		};
		int status = ibv_advise_mr(mr->pd, advice, IBV_ADVISE_MR_FLAG_FLUSH, &piece, 1);
		if (status)
			return -status;
		addr = (char *)addr + part;
		length -= part;
	}
	return 0;
}

int pinreg_real_send_inline(struct ibv_qp *qp, uint64_t wr_id, const void *data, uint32_t length)
{
	struct ibv_sge piece = { .addr = (uintptr_t)data, .length = length };
	struct ibv_send_wr request = {
		.wr_id = wr_id,
		.sg_list = &piece,
		.num_sge = 1,
		.opcode = IBV_WR_SEND,
		.send_flags = IBV_SEND_SIGNALED | IBV_SEND_INLINE,
	};
	struct ibv_send_wr *refused;
	int status = ibv_post_send(qp, &request, &refused);
	/* positive errno by the manual, -1 with errno from some providers */
	if (status < 0)
		return errno ? -errno : -EIO;
	return -status;
}

int pinreg_real_mr_deregister(struct ibv_mr *mr)
{
	/* positive errno by the manual, -1 with errno from some providers */
	int status = ibv_dereg_mr(mr);
	if (status < 0)
		return errno ? -errno : -EIO;
	return -status;
}
