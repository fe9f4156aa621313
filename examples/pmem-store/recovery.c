/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recovery.c -- the thread that puts the store right.
 */
#include "recovery.h"

#include <errno.h>
#include <unistd.h>

#include "say.h"

static void *run(void *arg)
{
	struct recovery_thread *recovery = arg;
	struct scratch scratch = { 0 };
	uint64_t one = 1;
	ssize_t ignored;

	recovery->result = scratch_make(&scratch);
	if (recovery->result == 0)
		recovery->result = store_recover(recovery->store, &scratch, &recovery->found);
	scratch_free(&scratch);
	atomic_store(&recovery->ended, true);
	ignored = write(recovery->wake_fd, &one, sizeof(one));
	(void)ignored; /* a full eventfd is readable as well */
	return NULL;
}

int recovery_start(struct recovery_thread *recovery, struct store *store, int wake_fd)
{
	if (recovery->running)
		return 0;
	recovery->store = store;
	recovery->wake_fd = wake_fd;
	recovery->found = (struct recovery){ 0 };
	atomic_store(&recovery->ended, false);
	recovery->running = pthread_create(&recovery->thread, NULL, run, recovery) == 0;
	return recovery->running ? 0 : -ENOMEM;
}

bool recovery_ended(struct recovery_thread *recovery, int *result)
{
	if (!recovery->running || !atomic_load(&recovery->ended))
		return false;
	pthread_join(recovery->thread, NULL);
	recovery->running = false;
	*result = recovery->result;
	return true;
}

void recovery_stop(struct recovery_thread *recovery, struct store *store)
{
	if (!recovery->running)
		return;
	pmem_shut(&store->pmem); /* it finds the file away and ends */
	pthread_join(recovery->thread, NULL);
	recovery->running = false;
}

static void print_number(const char *what, uint64_t number)
{
	if (number)
		say("  %s: %llu", what, (unsigned long long)number);
}

void recovery_print(const struct recovery *found)
{
	if (found->made)
		say("a new store was made");
	if (found->mirror_made)
		say("a new mirror was made");
	if (found->index_made)
		say("a copy of the index was made");
	say("checked: %llu objects, %llu bytes are right", (unsigned long long)found->objects,
	    (unsigned long long)found->bytes);
	if (found->repaired)
		say("  repaired from the mirror: %llu objects, %llu bytes",
		    (unsigned long long)found->repaired, (unsigned long long)found->repaired_bytes);
	print_number("index entries put right", found->entries);
	print_number("objects put right in the mirror", found->mirrored);
	print_number("objects DESTROYED, they cannot be read", found->destroyed);
}
