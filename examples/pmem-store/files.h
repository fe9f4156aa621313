/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * files.h -- the files of a server: opened, loaded, recovered, and what happens to them.
 *
 * All of it is called by the main thread, and waits for nothing.
 */
#ifndef PMEM_STORE_FILES_H
#define PMEM_STORE_FILES_H

#include "options.h"
#include "served.h"
#include "session.h"

struct files {
	const struct serve_options *options;
	struct shelf shelf;
	struct served served[SERVE_FILES]; /* of the stores of the shelf */
	struct recovery_thread loading;
	struct sessions *sessions; /* they are told */
	int wake_fd;		   /* written to when a thread has ended */
	bool ready;		   /* every file was whole: clients may come */
	bool failed;		   /* it was said why: the server ends */
};

void files_init(struct files *files, const struct serve_options *options, struct sessions *sessions,
		int wake_fd);
/* Open them all and begin to load. It prints what was decided. Return: an exit status. */
int files_open(struct files *files, struct pinreg_domain *domain);
/* Sessions have ended. What was made for a set that was refused is removed. */
void files_close(struct files *files);

void files_on_event(struct files *files, const struct pinreg_event *event);
void files_on_wake(struct files *files);

/* Path MTU in bytes that transfers need; 0: any. */
unsigned int files_needed_mtu(const struct files *files);

#endif
