/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * torture_rdma.h -- torture.h with the guest's device: a peer of each thread reads through
 * the region what is in memory, and writes there.
 */
#ifndef PINREG_TESTS_SUPPORT_TORTURE_RDMA_H
#define PINREG_TESTS_SUPPORT_TORTURE_RDMA_H

#include "support/torture.h"

/* Open a cache of the domain of rdma.h, run, and close it. paged: its regions are ODP. */
int torture_rdma_run(struct torture *torture, const struct pinreg_cache_opts *opts, bool paged,
		     struct pinreg_why *why);

/* Counters of the cache before it was closed, and of transfers that got no answer in time. */
extern struct pinreg_cache_info torture_rdma_info;
extern _Atomic(uint64_t) torture_rdma_moved, torture_rdma_silent;

#endif
