/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_window.h -- memory windows of the fake device: they are counted, and have keys.
 */
#ifndef PINREG_TESTS_SUPPORT_FAKE_WINDOW_H
#define PINREG_TESTS_SUPPORT_FAKE_WINDOW_H

#include "sys/sys.h"

struct fake_window {
	_Atomic(unsigned int) alive;
	_Atomic(unsigned int) bound; /* ever */
	_Atomic(int) bind_error;
	_Atomic(int) end_error;
	_Atomic(unsigned int) refused; /* ends that gave end_error */
	struct ibv_mw_bind_info last;  /* what was bound last */
};
extern struct fake_window fake_window;

int fake_window_make(struct ibv_pd *pd, struct ibv_mw **out);
int fake_window_bind(struct ibv_mw *window, struct ibv_qp *qp, uint64_t wr_id,
		     const struct ibv_mw_bind_info *info, uint32_t *rkey);
int fake_window_end(struct ibv_mw *window);

#endif
