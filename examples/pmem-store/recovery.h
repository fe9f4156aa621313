/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recovery.h -- the thread that puts the store right while the server listens
 * to what happens to FILE.
 */
#ifndef PMEM_STORE_RECOVERY_H
#define PMEM_STORE_RECOVERY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "store.h"

struct recovery_thread {
	struct store *store;
	int wake_fd;
	pthread_t thread;
	bool running;
	atomic_bool ended;
	struct recovery found;
	int result;
};

/* 0 or -errno. While one runs it does nothing: that one ends with -EAGAIN, and
 * the server starts the next. */
int recovery_start(struct recovery_thread *recovery, struct store *store, int wake_fd);
/* True once for every end; then result is that of store_recover(). */
bool recovery_ended(struct recovery_thread *recovery, int *result);
void recovery_stop(struct recovery_thread *recovery, struct store *store);

void recovery_print(const struct recovery *found);

#endif
