/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * breakers.c -- every way in which another process gets at a leased file, and what
 * comes of it under each seal.
 */
#include "support/breakers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "support/host.h"
#include "support/rdma.h"
#include "support/test.h"

const enum pinreg_seal breaker_seals[BREAKER_SEALS] = {
	PINREG_SEAL_NONE,
	PINREG_SEAL_LEASE,
	PINREG_SEAL_IMMUTABLE,
};

static void note_entry(struct breaker_job *job)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	*job->entered = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Open it and stay until told to go. */
static int stay(struct breaker_job *job, int flags, bool stamp)
{
	unsigned char bytes[BREAKER_STAMP];
	int fd = open(job->path, flags | O_CLOEXEC);
	if (fd < 0)
		return errno;
	note_entry(job);
	int error = 0;
	rdma_pattern(bytes, sizeof(bytes), BREAKER_HIS);
	if (stamp && pwrite(fd, bytes, sizeof(bytes), BREAKER_STAMP_AT) != BREAKER_STAMP)
		error = errno;
	while (!*job->go)
		usleep(500);
	close(fd);
	return error;
}

static int read_it(struct breaker_job *job)
{
	return stay(job, O_RDONLY, false);
}

static int write_it(struct breaker_job *job)
{
	return stay(job, O_RDWR, true);
}

static int read_nonblock(struct breaker_job *job)
{
	return stay(job, O_RDONLY | O_NONBLOCK, false);
}

static int write_nonblock(struct breaker_job *job)
{
	return stay(job, O_RDWR | O_NONBLOCK, true);
}

static int empty_it(struct breaker_job *job)
{
	return stay(job, O_WRONLY | O_TRUNC, false);
}

/* O_APPEND: pwrite() goes to the end as well */
static int append_to_it(struct breaker_job *job)
{
	return stay(job, O_WRONLY | O_APPEND, true);
}

static int truncate_it(struct breaker_job *job)
{
	if (truncate(job->path, BREAKER_CUT))
		return errno;
	note_entry(job);
	return 0;
}

static int execute_it(struct breaker_job *job)
{
	execl(job->path, job->path, (char *)NULL);
	return errno;
}

static int copy_over_it(struct breaker_job *job)
{
	/* what cp does once it has opened its source; and its errno is told */
	unsigned char bytes[BREAKER_COPY];
	int from = open(job->other, O_RDONLY | O_CLOEXEC);
	if (from < 0 || read(from, bytes, sizeof(bytes)) != BREAKER_COPY)
		return EIO;
	int to = open(job->path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (to < 0)
		return errno;
	note_entry(job);
	int error = write(to, bytes, sizeof(bytes)) == BREAKER_COPY ? 0 : errno;
	while (!*job->go)
		usleep(500);
	close(to);
	return error;
}

static int rename_over_it(struct breaker_job *job)
{
	return rename(job->other, job->path) ? errno : 0;
}

static int rename_away(struct breaker_job *job)
{
	char away[300];
	snprintf(away, sizeof(away), "%s-away", job->path);
	return rename(job->path, away) ? errno : 0;
}

static int unlink_it(struct breaker_job *job)
{
	return unlink(job->path) ? errno : 0;
}

#define AT_ONCE(refused)                                                                           \
	{                                                                                          \
		BREAKER_AT_ONCE, BREAKER_WAITS, (refused)                                          \
	}
#define BY_PATH                                                                                    \
	{                                                                                          \
		BREAKER_AT_ONCE, BREAKER_UNNOTICED, BREAKER_EPERM                                  \
	}

const struct breaker breakers[] = {
	{ "open for reading", read_it, AT_ONCE(BREAKER_WAITS), BREAKER_CHANGES_NOTHING,
	  PINREG_BREAKER_READER, true },
	{ "open for writing", write_it, AT_ONCE(BREAKER_EPERM), BREAKER_STAMPS,
	  PINREG_BREAKER_WRITER, true },
	{ "open for reading, O_NONBLOCK",
	  read_nonblock,
	  { BREAKER_AT_ONCE, BREAKER_EAGAIN, BREAKER_EAGAIN },
	  BREAKER_CHANGES_NOTHING,
	  PINREG_BREAKER_READER,
	  true },
	{ "open for writing, O_NONBLOCK",
	  write_nonblock,
	  { BREAKER_AT_ONCE, BREAKER_EAGAIN, BREAKER_EPERM },
	  BREAKER_STAMPS,
	  PINREG_BREAKER_WRITER,
	  true },
	{ "open with O_TRUNC", empty_it, AT_ONCE(BREAKER_EPERM), BREAKER_EMPTIES,
	  PINREG_BREAKER_WRITER, true },
	{ "open with O_APPEND and write", append_to_it, AT_ONCE(BREAKER_EPERM), BREAKER_GROWS,
	  PINREG_BREAKER_WRITER, true },
	{ "truncate(2)", truncate_it, AT_ONCE(BREAKER_EPERM), BREAKER_CUTS, PINREG_BREAKER_WRITER,
	  false },
	{ "cp over it", copy_over_it, AT_ONCE(BREAKER_EPERM), BREAKER_COPIES, PINREG_BREAKER_WRITER,
	  true },
	{ "execute it",
	  execute_it,
	  { BREAKER_BUSY, BREAKER_WAITS_BUSY, BREAKER_WAITS_BUSY },
	  BREAKER_CHANGES_NOTHING,
	  PINREG_BREAKER_READER,
	  false },
	{ "rename another file over it", rename_over_it, BY_PATH, BREAKER_CHANGES_NOTHING,
	  PINREG_BREAKER_NONE, false },
	{ "rename it", rename_away, BY_PATH, BREAKER_CHANGES_NOTHING, PINREG_BREAKER_NONE, false },
	{ "unlink it", unlink_it, BY_PATH, BREAKER_CHANGES_NOTHING, PINREG_BREAKER_NONE, false },
};
const size_t breaker_count = sizeof(breakers) / sizeof(breakers[0]);

void breaker_start(struct breaker_job *job, const struct breaker *breaker)
{
	struct {
		_Atomic(uint64_t) entered;
		_Atomic(int) go;
	} *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(shared, MAP_FAILED);
	job->entered = &shared->entered;
	job->go = &shared->go;
	fflush(NULL);
	job->process = fork();
	test_ok(job->process);
	if (!job->process) {
		/* a copy of a descriptor is the same open file, and would keep it */
		close_range(3, ~0u, 0);
		_exit(breaker->act(job));
	}
}

uint64_t breaker_entered(struct breaker_job *job)
{
	for (int i = 0; i < 30000 && !*job->entered; i++)
		usleep(500);
	if (!*job->entered)
		fail_msg("%s: he waited for 15 s in vain", job->path);
	return *job->entered;
}

int breaker_end(struct breaker_job *job)
{
	*job->go = 1;
	int error = host_wait(job->process);
	test_ok(munmap((void *)job->entered, 4096));
	return error;
}

static const char *const outcome_words[] = {
	[BREAKER_AT_ONCE] = "goes through, unheard",
	[BREAKER_WAITS] = "waits for the fence",
	[BREAKER_EAGAIN] = "EAGAIN; fenced all the same",
	[BREAKER_EPERM] = "EPERM",
	[BREAKER_BUSY] = "ETXTBSY",
	[BREAKER_WAITS_BUSY] = "waits for the fence, then ETXTBSY",
	[BREAKER_UNNOTICED] = "goes through; LOST at the next break",
};

static const char *const effect_words[] = {
	[BREAKER_CHANGES_NOTHING] = "as it was",
	[BREAKER_STAMPS] = "what he wrote",
	[BREAKER_CUTS] = "zeros from where he cut",
	[BREAKER_EMPTIES] = "zeros",
	[BREAKER_COPIES] = "what he wrote, zeros behind it",
	[BREAKER_GROWS] = "as it was; the file is longer",
};

void breaker_row(const struct breaker *breaker, char *text, size_t room)
{
	/* one whom every seal turns away, or who takes the path, leaves no bytes behind */
	bool lost = breaker->outcome[1] == BREAKER_UNNOTICED;
	bool refused = breaker->outcome[1] == BREAKER_EAGAIN;
	snprintf(text, room, "| %s | %s | %s | %s | %s |", breaker->name,
		 outcome_words[breaker->outcome[0]], outcome_words[breaker->outcome[1]],
		 outcome_words[breaker->outcome[2]],
		 lost	   ? "-"
		 : refused ? "as it was"
			   : effect_words[breaker->effect]);
}
