/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * visitor.c -- a process that opens leased files in every way that leaves them where
 * they are, and looks at whether what visitors wrote is still there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "soak.h"

struct visitor {
	struct soak_shared *shared;
	uint64_t seed;
	unsigned int number;
	unsigned int file; /* whom he visits now */
};

static const char *path_of(const struct visitor *visitor)
{
	return visitor->shared->path[visitor->file];
}

static void nap(struct visitor *visitor, unsigned int most_us)
{
	usleep((useconds_t)(soak_random(&visitor->seed) % most_us));
}

/* How long he waited is counted, and seen from outside while he does. */
static void begin_waiting(struct visitor *visitor)
{
	visitor->shared->since_ns[visitor->number] = soak_now_ns();
}

static void end_waiting(struct visitor *visitor)
{
	struct soak_shared *shared = visitor->shared;
	uint64_t waited = soak_now_ns() - shared->since_ns[visitor->number];
	shared->since_ns[visitor->number] = 0;
	uint64_t longest = shared->longest_ns;
	while (waited > longest &&
	       !atomic_compare_exchange_weak(&shared->longest_ns, &longest, waited))
		;
}

static int open_it(struct visitor *visitor, int flags)
{
	begin_waiting(visitor);
	int fd = open(path_of(visitor), flags | O_CLOEXEC);
	int error = errno;
	end_waiting(visitor);
	if (fd < 0 && !(error == EAGAIN && flags & O_NONBLOCK))
		soak_fail(visitor->shared, "%s: open: %s", path_of(visitor), strerror(error));
	return fd;
}

static void look(struct visitor *visitor, int fd)
{
	struct stat now;
	if (fd < 0)
		return;
	if (fstat(fd, &now) || now.st_size < SOAK_TAIL * SOAK_PAGE)
		soak_fail(visitor->shared, "%s: %ld bytes", path_of(visitor), (long)now.st_size);
	nap(visitor, 2000);
	close(fd);
}

/* What the one before him wrote must be there. */
static void stamp(struct visitor *visitor, int fd)
{
	struct soak_stamp *last = &visitor->shared->stamps[visitor->file];
	uint64_t found = 0;
	off_t at = SOAK_VISITORS_PAGE * SOAK_PAGE;
	if (fd < 0)
		return;
	pthread_mutex_lock(&last->lock);
	if (pread(fd, &found, sizeof(found), at) != sizeof(found) || found != last->value)
		soak_fail(visitor->shared, "%s: a visitor finds %lx where %lx was written",
			  path_of(visitor), (unsigned long)found, (unsigned long)last->value);
	last->value = soak_random(&visitor->seed);
	if (pwrite(fd, &last->value, sizeof(last->value), at) != sizeof(last->value))
		soak_fail(visitor->shared, "%s: pwrite: %s", path_of(visitor), strerror(errno));
	pthread_mutex_unlock(&last->lock);
	nap(visitor, 2000);
	close(fd);
}

static void cut_tail(struct visitor *visitor)
{
	uint64_t room = (SOAK_PAGES - SOAK_TAIL) * SOAK_PAGE;
	off_t size = (off_t)(SOAK_TAIL * SOAK_PAGE + soak_random(&visitor->seed) % room);
	begin_waiting(visitor);
	int status = truncate(path_of(visitor), size);
	int error = errno;
	end_waiting(visitor);
	if (status)
		soak_fail(visitor->shared, "%s: truncate: %s", path_of(visitor), strerror(error));
}

static void append(struct visitor *visitor)
{
	int fd = open_it(visitor, O_WRONLY | O_APPEND);
	if (fd < 0)
		return;
	/* zeros, for it may be the tail that he finds cut */
	if (write(fd, "\0\0\0", 4) != 4)
		soak_fail(visitor->shared, "%s: append: %s", path_of(visitor), strerror(errno));
	close(fd);
}

static void execute(struct visitor *visitor)
{
	begin_waiting(visitor);
	pid_t child = vfork();
	if (!child) {
		execl(path_of(visitor), path_of(visitor), (char *)NULL);
		_exit(errno == ETXTBSY || errno == ENOEXEC ? 0 : 1);
	}
	int status = 0;
	if (waitpid(child, &status, 0) != child || status)
		soak_fail(visitor->shared, "%s: executing it: %d", path_of(visitor), status);
	end_waiting(visitor);
}

/* These break nothing. */
static void touch(struct visitor *visitor)
{
	char other[80];
	snprintf(other, sizeof(other), "%s-%u", path_of(visitor), visitor->number);
	if (chmod(path_of(visitor), 0700) || link(path_of(visitor), other) || unlink(other))
		soak_fail(visitor->shared, "%s: %s", other, strerror(errno));
}

static void visit(struct visitor *visitor)
{
	switch (soak_random(&visitor->seed) % 12) {
	case 0:
	case 1:
	case 2:
		look(visitor, open_it(visitor, O_RDONLY));
		break;
	case 3:
		look(visitor, open_it(visitor, O_RDONLY | O_NONBLOCK));
		break;
	case 4:
	case 5:
	case 6:
		stamp(visitor, open_it(visitor, O_RDWR));
		break;
	case 7:
		stamp(visitor, open_it(visitor, O_RDWR | O_NONBLOCK));
		break;
	case 8:
		cut_tail(visitor);
		break;
	case 9:
		append(visitor);
		break;
	case 10:
		execute(visitor);
		break;
	default:
		touch(visitor);
	}
}

_Noreturn void soak_visit(struct soak_shared *shared, unsigned int number, uint64_t seed)
{
	struct visitor visitor = { .shared = shared, .seed = seed, .number = number };
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (!shared->stop) {
		if (shared->pause) {
			shared->paused++;
			while (shared->pause && !shared->stop)
				usleep(1000);
			shared->paused--;
			continue;
		}
		visitor.file = (unsigned int)(soak_random(&visitor.seed) % SOAK_FILES);
		visit(&visitor);
		shared->visits++;
		nap(&visitor, 4000);
	}
	_exit(0);
}
