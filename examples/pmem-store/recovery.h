/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recovery.h -- a thread that loads or puts right while the server listens to
 * what happens to its files.
 */
#ifndef PMEM_STORE_RECOVERY_H
#define PMEM_STORE_RECOVERY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "shelf.h"

/* Return: as store_load(), whatever of it is done. */
typedef int recovery_job(void *subject, struct scratch *scratch, struct recovery *found);
recovery_job recovery_of_shelf; /* shelf_load() */
recovery_job recovery_of_store; /* store_recover() */
recovery_job recovery_marks;	/* store_mark() */

struct recovery_thread {
	recovery_job *job;
	void *subject;
	int wake_fd;
	pthread_t thread;
	bool running;
	atomic_bool ended;
	struct recovery found;
	int result;
};

/* 0 or -errno. While one runs it does nothing: that one ends with -EAGAIN, and
 * the server starts the next. */
int recovery_start(struct recovery_thread *recovery, recovery_job *job, void *subject, int wake_fd);
/* True once for every end; then result is that of the job. */
bool recovery_ended(struct recovery_thread *recovery, int *result);
/* The files it works on are shut: it finds them away and ends. */
void recovery_stop(struct recovery_thread *recovery);

/* label: the beginning of every line. */
void recovery_print(const struct recovery *found, const char *label);

#endif
