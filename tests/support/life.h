/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * life.h -- one life of a leased file: opened, registered, broken, back again, closed;
 * and what must hold in it, whatever somebody does in between.
 */
#ifndef PINREG_TESTS_SUPPORT_LIFE_H
#define PINREG_TESTS_SUPPORT_LIFE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <pinreg/pinreg.h>

#include "support/inject.h"

struct life {
	struct pinreg_domain *domain;
	/* who closes writes, who uses the handles reads */
	pthread_rwlock_t handles;
	struct pinreg_file *_Atomic file;
	struct pinreg_region *_Atomic region;
	enum pinreg_event_type last; /* 0: held, nothing yet */
	_Atomic(uint64_t) generation;
	const char *_Atomic wrong; /* what was found, or NULL */
};
extern struct life life;

/* Of the file, and one beside it that nothing is at. */
extern char life_path[256], life_away[300];

/* Before the first. */
void life_prepare(void);

/*
 * One life with that in between, the file being opened once with breaker_flags; fails
 * the case where something was wrong. Did the first of injects happen?
 */
bool life_try(const struct inject *injects, unsigned int count, int breaker_flags);

/* For what happens in between, on any thread. The first is kept. */
void life_wrong(const char *what);

/* Open the file and close it. */
void life_visit(int flags);

void life_close_handles(void);

#endif
