/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recovery.c -- a thread that loads or puts right.
 */
#include "recovery.h"

#include <errno.h>
#include <unistd.h>

#include "say.h"

int recovery_of_shelf(void *subject, struct scratch *scratch, struct recovery *found)
{
	return shelf_load(subject, scratch, found);
}

int recovery_of_store(void *subject, struct scratch *scratch, struct recovery *found)
{
	return store_recover(subject, scratch, found);
}

int recovery_marks(void *subject, struct scratch *scratch, struct recovery *found)
{
	return store_mark(subject, scratch, found);
}

static void *run(void *arg)
{
	struct recovery_thread *recovery = arg;
	struct scratch scratch = { 0 };
	uint64_t one = 1;
	ssize_t ignored;

	recovery->result = scratch_make(&scratch);
	if (recovery->result == 0)
		recovery->result = recovery->job(recovery->subject, &scratch, &recovery->found);
	scratch_free(&scratch);
	atomic_store(&recovery->ended, true);
	ignored = write(recovery->wake_fd, &one, sizeof(one));
	(void)ignored; /* a full eventfd is readable as well */
	return NULL;
}

int recovery_start(struct recovery_thread *recovery, recovery_job *job, void *subject, int wake_fd)
{
	if (recovery->running)
		return 0;
	recovery->job = job;
	recovery->subject = subject;
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

void recovery_stop(struct recovery_thread *recovery)
{
	if (!recovery->running)
		return;
	pthread_join(recovery->thread, NULL);
	recovery->running = false;
}

static void print_number(const char *label, const char *what, uint64_t number)
{
	if (number)
		say("%s  %s: %llu", label, what, (unsigned long long)number);
}

void recovery_print(const struct recovery *found, const char *label)
{
	if (found->made)
		say("%sa new store was made", label);
	if (found->mirror_made)
		say("%sa new mirror was made", label);
	if (found->index_made)
		say("%sa copy of the index was made", label);
	say("%schecked: %llu objects, %llu bytes are right", label,
	    (unsigned long long)found->objects, (unsigned long long)found->bytes);
	if (found->repaired)
		say("%s  repaired from the mirror: %llu objects, %llu bytes", label,
		    (unsigned long long)found->repaired, (unsigned long long)found->repaired_bytes);
	print_number(label, "index entries put right", found->entries);
	print_number(label, "objects put right in the mirror", found->mirrored);
	print_number(label, "objects DESTROYED, they cannot be read", found->destroyed);
}
