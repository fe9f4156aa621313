/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * breakers.h -- every way in which another process gets at a leased file, and what
 * comes of it under each seal. The table in docs/leases.md is this one.
 */
#ifndef PINREG_TESTS_SUPPORT_BREAKERS_H
#define PINREG_TESTS_SUPPORT_BREAKERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pinreg/pinreg.h>

enum breaker_outcome {
	BREAKER_AT_ONCE = 1, /* done at once; nobody hears of it */
	BREAKER_WAITS,	     /* let in after the fence; restored when he has gone */
	BREAKER_EAGAIN,	     /* EAGAIN at once; fenced and restored all the same */
	BREAKER_EPERM,	     /* EPERM at once; nobody hears of it */
	BREAKER_BUSY,	     /* ETXTBSY at once; nobody hears of it */
	BREAKER_WAITS_BUSY,  /* ETXTBSY after the fence; restored */
	BREAKER_UNNOTICED,   /* done at once; lost when it is taken back from the next break */
};

/* What is in the file afterwards. */
enum breaker_effect {
	BREAKER_CHANGES_NOTHING,
	BREAKER_STAMPS, /* BREAKER_STAMP bytes at BREAKER_STAMP_AT */
	BREAKER_CUTS,	/* to BREAKER_CUT bytes */
	BREAKER_EMPTIES,
	BREAKER_COPIES, /* BREAKER_COPY bytes, and that is all */
	BREAKER_GROWS,	/* by BREAKER_STAMP bytes */
};

#define BREAKER_STAMP 7u
#define BREAKER_STAMP_AT 100u
#define BREAKER_CUT 8192u
#define BREAKER_COPY 12288u
/* With seed 1 it is what the owner writes, with 2 what a breaker writes. */
#define BREAKER_OURS 1u
#define BREAKER_HIS 2u

#define BREAKER_SEALS 3
extern const enum pinreg_seal breaker_seals[BREAKER_SEALS];

struct breaker_job;

struct breaker {
	const char *name; /* as in the table */
	int (*act)(struct breaker_job *job);
	enum breaker_outcome outcome[BREAKER_SEALS];
	enum breaker_effect effect;
	enum pinreg_breaker kind; /* as the event tells */
	bool stays;		  /* he keeps it open until he is told to go */
};

extern const struct breaker breakers[];
extern const size_t breaker_count;

/* One act, in a process of its own. */
struct breaker_job {
	const char *path;
	const char *other;	    /* a file beside it, with BREAKER_COPY bytes of his */
	_Atomic(uint64_t) *entered; /* CLOCK_MONOTONIC, when he had it open; 0: not yet */
	_Atomic(int) *go;	    /* set: he may close it */
	int process;
};

void breaker_start(struct breaker_job *job, const struct breaker *breaker);

/* Until he is in; fails the case after five seconds. When he got in. */
uint64_t breaker_entered(struct breaker_job *job);

/* Lets him go and waits for his end. The errno he met, or 0. */
int breaker_end(struct breaker_job *job);

/* The line of the table in docs/leases.md, without a newline. */
void breaker_row(const struct breaker *breaker, char *text, size_t room);

#endif
