/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * domain.h -- what a domain is made of.
 */
#ifndef PINREG_DOMAIN_INTERNAL_H
#define PINREG_DOMAIN_INTERNAL_H

#include <stdatomic.h>

#include "plan/device.h"
#include "region/set.h"
#include "watch/caller.h"
#include "watch/watch.h"

struct pinreg_domain {
	struct pinreg_device device;
	struct pinreg_region_set regions; /* those that are not on a file */
	struct pinreg_events events;
	struct pinreg_watch watch;
	struct pinreg_caller caller;
	_Atomic(unsigned int) caches; /* that are open */
};

/* pinreg_domain_open() on another system table. For tests. */
int pinreg_domain_open_with(const struct pinreg_sys *sys, struct ibv_pd *pd,
			    const struct pinreg_domain_opts *opts, struct pinreg_domain **out);

#endif
