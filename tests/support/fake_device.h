/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_device.h -- a device of memcpy, with the defects that a test asks for.
 *
 * fake_device_sys() is a system table with the verbs part and anonymous
 * mappings; the rest of it is NULL. There is one device in a process.
 */
#ifndef PINREG_TESTS_SUPPORT_FAKE_DEVICE_H
#define PINREG_TESTS_SUPPORT_FAKE_DEVICE_H

#include "plan/device.h"

enum fake_odp {
	FAKE_ODP_RIGHT,
	FAKE_ODP_RXE,	/* as stock Soft-RoCE: ignores offsets, does not advance */
	FAKE_ODP_STRAY, /* right, and a byte too much if that is not whole pages */
	FAKE_ODP_DEAF,	/* nothing moves */
};

enum fake_atomics {
	FAKE_ATOMICS_RIGHT,
	FAKE_ATOMICS_PAGE_START,  /* on the first bytes of the page */
	FAKE_ATOMICS_SWAP_ALWAYS, /* whatever is there */
	FAKE_ATOMICS_NEW_VALUE,	  /* what is there afterwards is given back */
	FAKE_ATOMICS_DEAF,	  /* nothing happens */
};

struct fake_device {
	/* what it is */
	struct ibv_device_attr_ex attr;
	enum ibv_port_state state;
	enum ibv_mtu mtu;
	enum fake_odp odp;
	enum fake_atomics atomics; /* on on-demand memory */
	bool pinned_wrong;	   /* not even pinned memory arrives */
	unsigned int open_us;	   /* how long a loop takes to open */
	/* from the transfer of this number on (1: the first), so many give error */
	unsigned int fail_at;
	unsigned int fail_count;
	int fail_error;
	/* the call of this number that makes something gives error; 0: none */
	unsigned int make_fail_at;
	int make_error;
	int odp_error;	  /* of registering with ON_DEMAND */
	int atomic_error; /* of registering with ON_DEMAND and REMOTE_ATOMIC */
	int drop_error;	  /* of dropping pages */
	/* ports asked from this one on have another MTU; 0: none */
	unsigned int mtu_changes_at;
	/* what happened */
	unsigned int transfers;
	unsigned int makes; /* loops, regions, mappings */
	unsigned int drops;
	unsigned int port_queries;
	unsigned int loops_opened;
	unsigned int loops;    /* now */
	unsigned int regions;  /* now */
	unsigned int mappings; /* now */
	unsigned int odp_registered;
};

extern struct fake_device fake_device;

/* A working device with on-demand paging, MTU 4096, port 1 of 1. */
void fake_device_reset(void);

/* It has atomics too, over on-demand paging as well: before fake_device_use(). */
void fake_device_add_atomics(void);

/* A struct pinreg_device on it, initialised. */
void fake_device_use(struct pinreg_device *out);

/* fake_device.regions, as other threads see it. */
unsigned int fake_device_regions(void);

const struct pinreg_sys *fake_device_sys(void);

/* Fails the test if a loop, a region or a mapping is left. */
void fake_device_assert_empty(void);

#endif
