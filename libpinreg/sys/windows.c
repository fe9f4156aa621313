/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * windows.c -- memory windows of type 2.
 */
#include <errno.h>

#include "sys/real.h"

int pinreg_real_window_make(struct ibv_pd *pd, struct ibv_mw **out)
{
	errno = 0;
	struct ibv_mw *window = ibv_alloc_mw(pd, IBV_MW_TYPE_2);
	if (!window)
		return errno ? -errno : -EIO;
	*out = window;
	return 0;
}

int pinreg_real_window_bind(struct ibv_mw *window, struct ibv_qp *qp, uint64_t wr_id,
			    const struct ibv_mw_bind_info *info, uint32_t *rkey)
{
	struct ibv_send_wr request = {
		.wr_id = wr_id,
		.opcode = IBV_WR_BIND_MW,
		.send_flags = IBV_SEND_SIGNALED,
		.bind_mw = {
			.mw = window,
			.rkey = ibv_inc_rkey(window->rkey),
			.bind_info = *info,
		},
	};
	struct ibv_send_wr *bad;
	int status = ibv_post_send(qp, &request, &bad);
	if (status)
		return status > 0 ? -status : -EIO;
	*rkey = request.bind_mw.rkey;
	return 0;
}

int pinreg_real_window_end(struct ibv_mw *window)
{
	/* positive errno by the manual, -1 with errno from some providers */
	int status = ibv_dealloc_mw(window);
	if (status < 0)
		return errno ? -errno : -EIO;
	return -status;
}
