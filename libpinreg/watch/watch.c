/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watch.c -- the thread: what it sleeps on, how it starts and ends.
 */
#include "watch/watch.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

void pinreg_watch_init(struct pinreg_watch *watch, struct pinreg_device *device,
		       struct pinreg_events *events, unsigned int quiesce_ms, int signal)
{
	*watch = (struct pinreg_watch){
		.device = device,
		.events = events,
		.quiesce_ns = (uint64_t)quiesce_ms * 1000000u,
		.signal = signal,
		.command_fd = -1,
		.inotify_fd = -1,
		.signal_fd = -1,
	};
	pthread_mutex_init(&watch->lock, NULL);
	pthread_cond_init(&watch->changed, NULL);
}

/* Real-time signals name the descriptor; one may be of a file closed since. */
static void mark_broken(struct pinreg_watch *watch, int fd)
{
	for (struct pinreg_file *file = watch->files; file; file = file->next)
		if (fd < 0 || file->prepared.fd == fd)
			file->broken = true;
}

void pinreg_watch_take_signals(struct pinreg_watch *watch)
{
	int fd;
	while (!watch->device->sys->signal_next(watch->signal_fd, &fd))
		mark_broken(watch, fd);
}

static void nudge(struct pinreg_watch *watch, int inotify)
{
	for (struct pinreg_file *file = watch->files; file; file = file->next)
		if (file->inotify >= 0 && (inotify < 0 || file->inotify == inotify))
			file->nudged = true;
}

static void take_closes(struct pinreg_watch *watch)
{
	int seen[32];
	int count;
	do {
		count = watch->device->sys->inotify_next(watch->inotify_fd, seen, 32);
		for (int i = 0; i < count; i++)
			nudge(watch, seen[i]);
	} while (count > 0);
}

/* Until something happens or a step is due. */
static void sleep_until_due(struct pinreg_watch *watch)
{
	const struct pinreg_sys *sys = watch->device->sys;
	struct pinreg_wakeup wakeup = { 0 };
	uint64_t due = pinreg_watch_due(watch);
	uint64_t now = sys->now_ns();
	int timeout_ms = -1;
	if (due <= now)
		timeout_ms = 0;
	else if (due != UINT64_MAX) /* rounded up, or the last millisecond would spin */
		timeout_ms = (int)((due - now + 999999) / 1000000);

	pthread_mutex_unlock(&watch->lock);
	sys->wait(watch->command_fd, watch->inotify_fd, watch->signal_fd, timeout_ms, &wakeup);
	if (wakeup.command)
		sys->event_clear(watch->command_fd);
	pthread_mutex_lock(&watch->lock);
	if (wakeup.inotify)
		take_closes(watch);
	if (wakeup.signals)
		pinreg_watch_take_signals(watch);
}

static void *run(void *context)
{
	struct pinreg_watch *watch = context;
	const struct pinreg_sys *sys = watch->device->sys;
	int fd = sys->signal_open(watch->signal);

	pthread_mutex_lock(&watch->lock);
	watch->signal_fd = fd;
	watch->thread_id = sys->thread_id();
	watch->start_status = fd < 0 ? fd : 0;
	pthread_cond_broadcast(&watch->changed);
	while (fd >= 0 && !watch->stop) {
		pinreg_watch_steps(watch, false);
		if (!watch->stop)
			sleep_until_due(watch);
	}
	pthread_mutex_unlock(&watch->lock);
	return NULL;
}

static void close_sources(struct pinreg_watch *watch)
{
	int *fds[] = { &watch->command_fd, &watch->inotify_fd, &watch->signal_fd };
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (*fds[i] >= 0)
			watch->device->sys->file_close(*fds[i]);
		*fds[i] = -1;
	}
}

static int open_sources(struct pinreg_watch *watch)
{
	const struct pinreg_sys *sys = watch->device->sys;
	watch->command_fd = sys->event_open();
	if (watch->command_fd < 0)
		return watch->command_fd;
	watch->inotify_fd = sys->inotify_open();
	return watch->inotify_fd < 0 ? watch->inotify_fd : 0;
}

/* The application's signals must never be taken by this thread. */
static int create_thread(struct pinreg_watch *watch)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int status = pthread_create(&watch->thread, NULL, run, watch);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!status)
		pthread_setname_np(watch->thread, "pinreg");
	return -status;
}

/* with lock held */
static int start(struct pinreg_watch *watch)
{
	watch->start_status = 1;
	watch->stop = false;
	int status = open_sources(watch);
	if (!status)
		status = create_thread(watch);
	if (!status) {
		while (watch->start_status == 1)
			pthread_cond_wait(&watch->changed, &watch->lock);
		status = watch->start_status;
		if (status) {
			pthread_mutex_unlock(&watch->lock);
			pthread_join(watch->thread, NULL);
			pthread_mutex_lock(&watch->lock);
		}
	}
	if (status)
		close_sources(watch);
	else
		watch->running = true;
	return status;
}

int pinreg_watch_add(struct pinreg_watch *watch, struct pinreg_file *file)
{
	pthread_mutex_lock(&watch->lock);
	/* another thread may be in the middle of starting it */
	while (!watch->running && watch->start_status == 1)
		pthread_cond_wait(&watch->changed, &watch->lock);
	int status = watch->running ? 0 : start(watch);
	if (!status) {
		file->next = watch->files;
		watch->files = file;
	}
	pthread_cond_broadcast(&watch->changed);
	pthread_mutex_unlock(&watch->lock);
	return status;
}

void pinreg_watch_hold(struct pinreg_file *file)
{
	file->state = PINREG_FILE_HELD;
	file->zeroed = file->prepared.zeroed;
	file->extents = file->prepared.extents;
}

void pinreg_watch_remove(struct pinreg_watch *watch, struct pinreg_file *file)
{
	pthread_mutex_lock(&watch->lock);
	file->closing = true;
	while (file->busy)
		pthread_cond_wait(&watch->changed, &watch->lock);
	struct pinreg_file **link = &watch->files;
	while (*link != file)
		link = &(*link)->next;
	*link = file->next;
	if (file->inotify >= 0)
		watch->device->sys->inotify_unwatch(watch->inotify_fd, file->inotify);
	pthread_mutex_unlock(&watch->lock);
}

bool pinreg_watch_in_use(struct pinreg_watch *watch)
{
	pthread_mutex_lock(&watch->lock);
	bool used = watch->files;
	pthread_mutex_unlock(&watch->lock);
	return used;
}

void pinreg_watch_wake(struct pinreg_watch *watch)
{
	watch->device->sys->event_raise(watch->command_fd);
}

void pinreg_watch_destroy(struct pinreg_watch *watch)
{
	if (watch->running) {
		pthread_mutex_lock(&watch->lock);
		watch->stop = true;
		pthread_mutex_unlock(&watch->lock);
		pinreg_watch_wake(watch);
		pthread_join(watch->thread, NULL);
		close_sources(watch);
	}
	pthread_cond_destroy(&watch->changed);
	pthread_mutex_destroy(&watch->lock);
}
