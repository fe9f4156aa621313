/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * soak.h -- a server of many leased files, its clients, and visitors who break the
 * leases at random.
 *
 * Each file has three parts. Slots hold objects that a client has stored and that
 * were committed: nothing may ever be wrong in them. One page belongs to the
 * visitors. The tail behind it is stored to as well, and visitors cut it off.
 */
#ifndef PINREG_SOAK_SOAK_H
#define PINREG_SOAK_SOAK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <pinreg/pinreg.h>

#define SOAK_FILES 12u
#define SOAK_VISITORS 4u
#define SOAK_CLIENTS 2u
#define SOAK_PAGE 4096u
#define SOAK_SLOTS 10u
#define SOAK_VISITORS_PAGE SOAK_SLOTS
#define SOAK_TAIL (SOAK_SLOTS + 1) /* the first page of it */
#define SOAK_PAGES 16u
#define SOAK_LENGTH (SOAK_PAGES * SOAK_PAGE)

/* What all processes see. */
struct soak_shared {
	_Atomic(bool) pause, stop;
	_Atomic(unsigned int) paused; /* visitors who do nothing now */
	_Atomic(uint64_t) visits;
	_Atomic(uint64_t) longest_ns;		   /* that a visitor waited to be let in */
	_Atomic(uint64_t) since_ns[SOAK_VISITORS]; /* he waits since then; 0: he does not */
	_Atomic(bool) failed;
	char failure[256]; /* of who set failed first */
	/* what the last visitor has written into the visitors' page of each file */
	struct soak_stamp {
		pthread_mutex_t lock;
		uint64_t value;
	} stamps[SOAK_FILES];
	char path[SOAK_FILES][64];
};

/* The first failure counts. Any process. */
void soak_fail(struct soak_shared *shared, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

uint64_t soak_now_ns(void);

/* Never 0; the state is advanced. */
uint64_t soak_random(uint64_t *state);

/* A process that visits until it is told to stop; never returns. */
_Noreturn void soak_visit(struct soak_shared *shared, unsigned int number, uint64_t seed);

/* A page as the client knows it. */
struct soak_page {
	uint64_t version; /* what was committed last; 0: nothing yet, it is zero */
	bool unsure;	  /* a later one may have arrived */
};

struct soak_file {
	struct pinreg_file *file;
	struct pinreg_region *region;
	struct soak_page pages[SOAK_PAGES]; /* of the one client that has the file */
};

struct soak_client {
	struct soak_shared *shared;
	struct soak_file *files; /* those with number % SOAK_CLIENTS == this one's */
	unsigned int number;
	uint64_t seed;
	_Atomic(bool) pause, stop;
	_Atomic(bool) paused;
	_Atomic(uint64_t) commits, checks, refused, silent, undone;
	pthread_t thread;
};

/* The thread of a struct soak_client. */
void *soak_client_run(void *client);

/* Check all pages of a file through its keys of now. For the end, with nobody else at work. */
void soak_check_all(struct soak_client *client);

#endif
