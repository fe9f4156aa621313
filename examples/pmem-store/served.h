/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * served.h -- one file of a server: its store, what happens to it, its recovery.
 *
 * All of it is called by the main thread and waits for nothing.
 */
#ifndef PMEM_STORE_SERVED_H
#define PMEM_STORE_SERVED_H

#include <sys/stat.h>

#include "recovery.h"
#include "session.h"

/* From a break to the fence, should the main thread or a copy be slow. */
#define SERVED_QUIESCE_MS 50

struct served {
	struct store *store;
	char label[256]; /* begins the lines about it; empty where it is the only one */
	struct recovery_thread recovery;
	uint32_t rkey;		      /* as it was last printed */
	struct stat identity;	      /* of FILE */
	struct pinreg_event restored; /* the last, to be told when it is served again */
	bool open;
	bool recovered; /* once at least */
};

/* Open, lease and register FILE; it prints what was decided. Return: an exit status. */
int served_open(struct served *served, struct pinreg_domain *domain, uint64_t size,
		enum pinreg_granularity granularity);
/* The gate is shut and no recovery runs. discard: a file that was made is removed again. */
void served_close(struct served *served, bool discard);

/* The file's events. */
void served_on_break(struct served *served, const struct pinreg_event *event,
		     struct sessions *sessions);
void served_on_fenced(struct served *served, const struct pinreg_event *event);
/* 0: recovery may begin; -EAGAIN: away again; or another -errno. */
int served_on_restored(struct served *served, const struct pinreg_event *event);
/* FENCED follows; what was stored meanwhile may be in somebody else's way. */
void served_on_lease_lost(const struct served *served, const struct pinreg_event *event);
void served_on_lost(struct served *served, const struct pinreg_event *event);

#endif
