/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wait.c -- what the watcher sleeps on: signals, commands, closed files.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "sys/fork.h"
#include "sys/real.h"

int pinreg_real_event_open(void)
{
	pinreg_fork_begin();
	return pinreg_fork_opened(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

int pinreg_real_event_raise(int fd)
{
	/* EAGAIN: the counter is full, so the reader will wake anyway */
	return eventfd_write(fd, 1) && errno != EAGAIN ? -errno : 0;
}

int pinreg_real_event_clear(int fd)
{
	eventfd_t count;
	return eventfd_read(fd, &count) && errno != EAGAIN ? -errno : 0;
}

int pinreg_real_inotify_open(void)
{
	pinreg_fork_begin();
	return pinreg_fork_opened(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
}

int pinreg_real_inotify_watch(int inotify, int fd, bool opens)
{
	/* through the descriptor, so that it is this inode even if it was renamed */
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	uint32_t mask = IN_CLOSE | IN_ATTRIB | IN_MOVE_SELF | (opens ? IN_OPEN | IN_MODIFY : 0);
	int watch = inotify_add_watch(inotify, path, mask);
	return watch < 0 ? -errno : watch;
}

int pinreg_real_inotify_unwatch(int inotify, int watch)
{
	return inotify_rm_watch(inotify, watch) ? -errno : 0;
}

int pinreg_real_inotify_next(int inotify, int *watches, unsigned int room)
{
	/* watches are on files, so no event carries a name */
	struct inotify_event events[32];
	size_t bytes = sizeof(events[0]) * (room < 32 ? room : 32);
	ssize_t got = read(inotify, events, bytes);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	int count = (int)((size_t)got / sizeof(events[0]));
	for (int i = 0; i < count; i++)
		watches[i] = events[i].mask & IN_Q_OVERFLOW ? -1 : events[i].wd;
	return count;
}

int pinreg_real_wait(int event, int inotify, int signal, int device, int timeout_ms,
		     struct pinreg_wakeup *out)
{
	struct pollfd polls[] = {
		{ .fd = event, .events = POLLIN },
		{ .fd = inotify, .events = POLLIN },
		{ .fd = signal, .events = POLLIN },
		{ .fd = device, .events = POLLIN },
	};
	if (poll(polls, sizeof(polls) / sizeof(polls[0]), timeout_ms) < 0 && errno != EINTR)
		return -errno;
	*out = (struct pinreg_wakeup){
		.command = polls[0].revents,
		.inotify = polls[1].revents,
		.signals = polls[2].revents,
		.device = polls[3].revents,
	};
	return 0;
}

pid_t pinreg_real_thread_id(void)
{
	return gettid();
}

uint64_t pinreg_real_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
