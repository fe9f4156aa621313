/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * set.h -- the regions that are fenced and restored together: those of a file,
 * or the plain ones of a domain (which never are).
 */
#ifndef PINREG_REGION_SET_H
#define PINREG_REGION_SET_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include <pinreg/reason.h>

struct pinreg_region;

enum pinreg_set_state {
	PINREG_SET_LIVE = 0,
	PINREG_SET_FENCED,
	PINREG_SET_LOST,
};

/*
 * lock protects everything here and the registration (mr) of every region in
 * the list. It is the innermost lock of the library: nothing else is taken
 * under it. Registering and committing are slow and happen outside of it,
 * between enter and leave: users counts those inside, and a fence waits until
 * there is none. A region is linked before its maker leaves, so no memory
 * region can slip past a fence.
 */
struct pinreg_region_set {
	pthread_mutex_t lock;
	pthread_cond_t idle; /* users became 0 */
	unsigned int users;
	enum pinreg_set_state state;
	uint64_t generation; /* 1 at first */
	size_t count;
	struct pinreg_region *first;
};

void pinreg_set_init(struct pinreg_region_set *set);

/* ASSUMPTIONS: empty, nobody inside. */
void pinreg_set_destroy(struct pinreg_region_set *set);

/* Begin to use the memory. 0, -EAGAIN while fenced, -ESTALE when lost. */
int pinreg_set_enter(struct pinreg_region_set *set);
void pinreg_set_leave(struct pinreg_region_set *set);

/* The number of regions in it. */
size_t pinreg_set_count(struct pinreg_region_set *set);

/*
 * Let nobody in, wait until all are out, deregister every region. 0, or the
 * first -errno of the kernel: then some are still registered; call it again.
 */
int pinreg_set_fence(struct pinreg_region_set *set);

/*
 * Register every region again and let users in with the next generation.
 * 0, or -errno with *why; then all are fenced as before.
 */
int pinreg_set_restore(struct pinreg_region_set *set, struct pinreg_why *why);

/* ASSUMPTIONS: fenced. Nobody will ever be let in again. */
void pinreg_set_lose(struct pinreg_region_set *set);

uint64_t pinreg_set_generation(struct pinreg_region_set *set);

#endif
