/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inject.c -- a system table that lets a step of another thread happen, or an error
 * come, at the n-th call that the library makes.
 */
#include "support/inject.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "support/fake_device.h"
#include "support/test.h"

/* A step that waits for the caller cannot end before he goes on. */
#define PATIENCE_MS 10

static struct pinreg_sys below; /* what is wrapped */
static struct pinreg_sys table;

static _Thread_local bool exempt;

/* lock protects what is here; nothing is taken under it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static unsigned int calls;
static struct armed {
	struct inject what;
	bool fired, running;
	pthread_t runner;
} armed[2];

static _Atomic(const char *) where = "nowhere";
static _Atomic(unsigned int) epoch;
static _Atomic(bool) released_live;

static void *run_step(void *context)
{
	struct armed *one = context;
	exempt = true;
	one->what.step();
	pthread_mutex_lock(&lock);
	one->running = false;
	pthread_cond_broadcast(&ended);
	pthread_mutex_unlock(&lock);
	return NULL;
}

/* With lock held: start it, and give it time. */
static void fire(struct armed *one)
{
	struct timespec until;
	one->running = true;
	if (pthread_create(&one->runner, NULL, run_step, one))
		abort();
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += PATIENCE_MS * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	while (one->running && !pthread_cond_timedwait(&ended, &lock, &until))
		;
}

/* 0, or the errno that the call is to give. */
static int point(const char *name, int error)
{
	int status = 0;
	if (exempt)
		return 0;
	pthread_mutex_lock(&lock);
	calls++;
	for (struct armed *one = armed; one < armed + 2; one++) {
		if (one->fired || one->what.n != calls)
			continue;
		one->fired = true;
		where = name;
		if (one->what.step)
			fire(one);
		else
			status = error;
		break;
	}
	pthread_mutex_unlock(&lock);
	return status;
}

/* A call with an int result that may be this error, or 0: it never fails. */
#define WRAP(name, error, parameters, arguments)                                                   \
	static int wrapped_##name parameters                                                       \
	{                                                                                          \
		int status = point(#name, error);                                                  \
		return status ? status : below.name arguments;                                     \
	}

WRAP(mr_register, -ENOMEM,
     (struct ibv_pd * pd, void *addr, size_t length, uint64_t iova, unsigned int access,
      struct ibv_mr **out),
     (pd, addr, length, iova, access, out))
WRAP(mr_deregister, -EBUSY, (struct ibv_mr * mr), (mr))
WRAP(file_open, -EMFILE, (int dirfd, const char *path, int flags, mode_t mode),
     (dirfd, path, flags, mode))
WRAP(file_close, 0, (int fd), (fd))
WRAP(file_look, -EIO, (int fd, struct pinreg_file_look *out), (fd, out))
WRAP(path_look, -EACCES, (int dirfd, const char *path, uint64_t *device, uint64_t *inode),
     (dirfd, path, device, inode))
WRAP(file_allocate, -ENOSPC, (int fd, int mode, uint64_t offset, uint64_t length),
     (fd, mode, offset, length))
WRAP(file_resize, -EIO, (int fd, uint64_t size), (fd, size))
WRAP(file_zero, -EIO, (int fd, uint64_t offset, uint64_t length), (fd, offset, length))
WRAP(file_sync, -EIO, (int fd), (fd))
WRAP(file_extents, -EIO, (int fd, struct fiemap *map), (fd, map))
WRAP(map, -ENOMEM, (int fd, uint64_t length, bool sync, void **out), (fd, length, sync, out))
WRAP(unmap, 0, (void *addr, uint64_t length), (addr, length))
WRAP(sync_mapping, -EIO, (void *addr, uint64_t length), (addr, length))
WRAP(persist_range, -EIO, (struct pinreg_persist * persist, void *addr, uint64_t length),
     (persist, addr, length))
WRAP(lease_get, -EINVAL, (int fd, int *type), (fd, type))
WRAP(signals_next, 0, (struct pinreg_signals * signals, int *fds, unsigned int room),
     (signals, fds, room))
WRAP(event_raise, 0, (int fd), (fd))
WRAP(event_clear, 0, (int fd), (fd))
WRAP(inotify_watch, -ENOSPC, (int inotify, int fd, bool opens), (inotify, fd, opens))
WRAP(inotify_unwatch, 0, (int inotify, int watch), (inotify, watch))
WRAP(inotify_next, 0, (int inotify, int *watches, unsigned int room), (inotify, watches, room))
WRAP(wait, 0,
     (int event, int inotify, int signal, int device, int timeout_ms, struct pinreg_wakeup *out),
     (event, inotify, signal, device, timeout_ms, out))

static int wrapped_lease_take(int fd, int signal, pid_t thread)
{
	int status = point("lease_take", -EAGAIN);
	if (!status)
		status = below.lease_take(fd, signal, thread);
	if (!status && epoch % 2)
		epoch++;
	return status;
}

static int wrapped_lease_release(int fd)
{
	point("lease_release", 0);
	if (fake_device_regions())
		released_live = true;
	if (epoch % 2 == 0)
		epoch++;
	return below.lease_release(fd);
}

const struct pinreg_sys *inject_table(void)
{
	const struct pinreg_sys *fake = fake_device_sys();
	below = pinreg_sys_real;
	below.device_query = fake->device_query;
	below.port_query = fake->port_query;
	below.mr_register = fake->mr_register;
	below.mr_deregister = fake->mr_deregister;
	table = below;
#define USE(name) table.name = wrapped_##name
	USE(mr_register);
	USE(mr_deregister);
	USE(file_open);
	USE(file_close);
	USE(file_look);
	USE(path_look);
	USE(file_allocate);
	USE(file_resize);
	USE(file_zero);
	USE(file_sync);
	USE(file_extents);
	USE(map);
	USE(unmap);
	USE(sync_mapping);
	USE(persist_range);
	USE(lease_get);
	USE(lease_take);
	USE(lease_release);
	USE(signals_next);
	USE(event_raise);
	USE(event_clear);
	USE(inotify_watch);
	USE(inotify_unwatch);
	USE(inotify_next);
	USE(wait);
	return &table;
}

void inject_arm(const struct inject *injects, unsigned int count)
{
	pthread_mutex_lock(&lock);
	calls = 0;
	for (unsigned int i = 0; i < 2; i++)
		armed[i] = (struct armed){ .what = i < count ? injects[i] : (struct inject){ 0 } };
	where = "nowhere";
	epoch = 0;
	released_live = false;
	pthread_mutex_unlock(&lock);
}

bool inject_disarm(void)
{
	pthread_mutex_lock(&lock);
	calls = UINT_MAX / 2; /* nothing fires from here on */
	pthread_mutex_unlock(&lock);
	for (unsigned int i = 0; i < 2; i++)
		if (armed[i].fired && armed[i].what.step)
			pthread_join(armed[i].runner, NULL);
	return armed[0].fired;
}

const char *inject_where(void)
{
	return where;
}

void inject_exempt(void)
{
	exempt = true;
}

unsigned int inject_lease_epoch(void)
{
	return epoch;
}

bool inject_released_live(void)
{
	return released_live;
}
