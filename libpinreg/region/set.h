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
struct pinreg_inside;
struct pinreg_whole_region;

typedef void pinreg_set_wake_function(struct pinreg_file *file);

enum pinreg_set_state {
	PINREG_SET_LIVE = 0,
	PINREG_SET_DRAINING, /* keys work; no new regions, and nobody new who uses keys */
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
 *
 * Who uses a region's keys (pinreg_region_enter()) is counted apart, without the
 * lock. For two reasons these are not users: he is not waited for longer than his
 * time, while our own work in the memory is, to its end; and he comes millions of
 * times in a second, while a user is there before the first region is.
 */
struct pinreg_region_set {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* restoring became NULL */
	unsigned int users;
	enum pinreg_set_state state;
	uint64_t generation; /* 1 at first */
	size_t count;	     /* of regions; those of a cache are in no list */
	struct pinreg_whole_region *first;
	struct pinreg_whole_region *restoring;
	uint64_t end;		      /* address; what reaches behind it is not registered again */
	struct pinreg_inside *inside; /* from the first region on; NULL where it never is fenced */
	/* constant */
	pinreg_set_wake_function *wake;
	struct pinreg_file *file; /* theirs, for wake and to be compared only; NULL: none */
};

/*
 * wake: called with file where somebody has left that a fence may wait for, from any thread
 * and under no lock of the set. NULL: it never is fenced.
 */
void pinreg_set_init(struct pinreg_region_set *set, pinreg_set_wake_function *wake,
		     struct pinreg_file *file);

/*
 * Count who uses keys from now on, before the first region is linked. 0 or -ENOMEM.
 * ASSUMPTIONS: entered.
 */
int pinreg_set_count_inside(struct pinreg_region_set *set, unsigned int cpus);

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

/* Will nobody ever be let in again? */
bool pinreg_set_is_lost(struct pinreg_region_set *set);

/* The number of regions in it. */
size_t pinreg_set_count(struct pinreg_region_set *set);

/* No new regions from here on, and nobody new who uses keys. */
void pinreg_set_drain(struct pinreg_region_set *set);

/*
 * Is there nobody whom the next step of a fence waits for? While draining that is
 * who uses keys, then who works in the memory. There is a wake when it may be so.
 */
bool pinreg_set_is_quiet(struct pinreg_region_set *set);

/*
 * Let nobody in and deregister every region, whoever uses its keys: while they have
 * time to finish the caller waits until it is quiet. 0 when that is done and nobody
 * works in the memory; -EINPROGRESS while somebody does; or the first -errno of the
 * kernel, and some are still registered. Call it again until it is 0. Does not wait.
 */
int pinreg_set_fence(struct pinreg_region_set *set);

/*
 * The file ends there now, an address: what reaches behind it stays without a key
 * when the set is opened, until a later return finds it longer. ASSUMPTIONS: fenced.
 */
void pinreg_set_limit(struct pinreg_region_set *set, uint64_t end);

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
