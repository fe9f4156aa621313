/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * set.h -- the regions that are fenced and restored together: those of a file,
 * or the plain ones of a domain (which never are).
 */
#ifndef PINREG_REGION_SET_H
#define PINREG_REGION_SET_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pinreg/reason.h>

#include "region/pieces.h"

struct pinreg_file;
struct pinreg_region;

enum pinreg_set_state {
	PINREG_SET_LIVE = 0,
	PINREG_SET_DRAINING, /* keys work, no new regions */
	PINREG_SET_FENCED,
	PINREG_SET_LOST,
};

/*
 * lock protects everything here and the registration (mr) of every region in
 * the list. It is the innermost lock of the library: nothing else is taken
 * under it. Registering and committing are slow and happen outside of it,
 * between enter and leave, by a user that is counted. A fence deregisters at
 * once what is linked, and is done when nobody is inside any more: a region
 * is linked before its maker leaves, so none slips past it. restoring is the
 * region that is being registered again outside of the lock; it cannot go
 * meanwhile.
 */
struct pinreg_region_set {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* restoring became NULL */
	unsigned int users;
	enum pinreg_set_state state;
	uint64_t generation; /* 1 at first */
	size_t count;
	struct pinreg_region *first;
	struct pinreg_region *restoring;
	bool leased; /* constant: it may be fenced; those of a domain never are */
	const struct pinreg_file *file; /* constant: theirs, to be compared only; NULL: none */
};

void pinreg_set_init(struct pinreg_region_set *set, bool leased);

/* ASSUMPTIONS: empty, nobody inside. */
void pinreg_set_destroy(struct pinreg_region_set *set);

/* May the memory be used now? 0, -EAGAIN while fenced, -ESTALE when lost. */
int pinreg_set_enter(struct pinreg_region_set *set);

/* May a region be added now? As above, and -EAGAIN while draining. */
int pinreg_set_enter_to_add(struct pinreg_region_set *set);

void pinreg_set_leave(struct pinreg_region_set *set);

/*
 * For who is inside and slow: asked between two pieces it says -EAGAIN (and in
 * *why FENCED) as soon as a fence waits for him to leave, not while draining.
 */
struct pinreg_stop pinreg_set_stop(struct pinreg_region_set *set);

/* The number of regions in it. */
size_t pinreg_set_count(struct pinreg_region_set *set);

/* No new regions from here on. */
void pinreg_set_drain(struct pinreg_region_set *set);

/*
 * Let nobody in and deregister every region. 0 when that is done and nobody is
 * inside; -EINPROGRESS while somebody is; or the first -errno of the kernel,
 * and some are still registered. Call it again until it is 0. Does not wait.
 */
int pinreg_set_fence(struct pinreg_region_set *set);

/*
 * Register one more region again; its key is not given out yet. 1, 0 if there
 * is none left, or -errno with *why: that of stop, asked between the pieces of
 * a shadow, where it ended this. ASSUMPTIONS: fenced; one caller.
 */
int pinreg_set_restore_one(struct pinreg_region_set *set, const struct pinreg_stop *stop,
			   struct pinreg_why *why);

/* All are registered again: give out the keys, with the next generation. */
void pinreg_set_open(struct pinreg_region_set *set);

/* ASSUMPTIONS: fenced. Nobody will ever be let in again. */
void pinreg_set_lose(struct pinreg_region_set *set);

uint64_t pinreg_set_generation(struct pinreg_region_set *set);

#endif
