/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_window.c -- memory windows of the fake device.
 */
#include "support/fake_window.h"

#include <errno.h>
#include <stdlib.h>

struct fake_window fake_window;

int fake_window_make(struct ibv_pd *pd, struct ibv_mw **out)
{
	struct ibv_mw *window = calloc(1, sizeof(*window));
	if (!window)
		return -ENOMEM;
	window->pd = pd;
	window->type = IBV_MW_TYPE_2;
	fake_window.alive++;
	*out = window;
	return 0;
}

int fake_window_bind(struct ibv_mw *window, struct ibv_qp *qp, uint64_t wr_id,
		     const struct ibv_mw_bind_info *info, uint32_t *rkey)
{
	(void)qp;
	(void)wr_id;
	if (fake_window.bind_error)
		return fake_window.bind_error;
	window->rkey = 0x1000 + ++fake_window.bound;
	fake_window.last = *info;
	*rkey = window->rkey;
	return 0;
}

int fake_window_end(struct ibv_mw *window)
{
	int error = fake_window.end_error;
	if (error) {
		fake_window.refused++;
		return error;
	}
	fake_window.alive--;
	free(window);
	return 0;
}
