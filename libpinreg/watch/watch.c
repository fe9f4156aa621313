/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watch.c -- the files that are watched, and how the threads start and end.
 */
#include "watch/watch.h"

#include <errno.h>

#include <pinreg/domain.h>

#include "base/thread.h"
#include "base/why.h"
#include "watch/device.h"
#include "watch/threads.h"

void pinreg_watch_init(struct pinreg_watch *watch, struct pinreg_device *device,
		       struct pinreg_events *events, unsigned int quiesce_ms, int signal)
{
	if (quiesce_ms == PINREG_QUIESCE_NONE)
		quiesce_ms = 0;
	*watch = (struct pinreg_watch){
		.device = device,
		.events = events,
		.quiesce_ns = (uint64_t)quiesce_ms * 1000000u,
		.wanted_signal = signal,
		.command_fd = -1,
		.inotify_fd = -1,
		.signals = { .epoll = -1, .lease = -1, .overflow = -1 },
		.device_fd = -1,
	};
	pthread_mutex_init(&watch->lock, NULL);
	pthread_cond_init(&watch->changed, NULL);
	pthread_cond_init(&watch->returns, NULL);
}

static void close_sources(struct pinreg_watch *watch)
{
	watch->device->sys->signals_close(&watch->signals);
	int *fds[] = { &watch->command_fd, &watch->inotify_fd };
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

/* With lock held; gives it up. */
static void join(struct pinreg_watch *watch, pthread_t thread)
{
	pthread_mutex_unlock(&watch->lock);
	pthread_join(thread, NULL);
	pthread_mutex_lock(&watch->lock);
}

/* With lock held, STARTING. 0 with the watcher running, or -errno without it. */
static int start_watcher(struct pinreg_watch *watch)
{
	watch->start_status = -EINPROGRESS;
	int status = pinreg_thread_start(&watch->watcher, "pinreg", pinreg_watcher_run, watch);
	if (status)
		return status;
	while (watch->start_status == -EINPROGRESS)
		pthread_cond_wait(&watch->changed, &watch->lock);
	if (watch->start_status)
		join(watch, watch->watcher);
	return watch->start_status;
}

static void stop(struct pinreg_watch *watch, bool with_returner)
{
	watch->state = PINREG_WATCH_STOPPING;
	pthread_cond_broadcast(&watch->returns);
	pinreg_watch_wake(watch);
	join(watch, watch->watcher);
	if (with_returner)
		join(watch, watch->returner);
}

/* With lock held, STOPPED. Others who want it meanwhile wait for the outcome. */
static int start(struct pinreg_watch *watch, struct pinreg_why *why)
{
	/* by this thread's mask and the handlers that there are: the watcher blocks all */
	int status = watch->device->sys->signal_choose(watch->wanted_signal, &watch->signals);
	if (status)
		return pinreg_why_set(why, PINREG_REASON_NO_SIGNAL, status);
	watch->state = PINREG_WATCH_STARTING;
	status = open_sources(watch);
	if (!status)
		status = start_watcher(watch);
	if (!status) {
		status = pinreg_thread_start(&watch->returner, "pinreg-return", pinreg_returner_run,
					     watch);
		if (status)
			stop(watch, false);
	}
	if (status)
		close_sources(watch);
	watch->state = status ? PINREG_WATCH_STOPPED : PINREG_WATCH_RUNNING;
	pthread_cond_broadcast(&watch->changed);
	if (status)
		pinreg_why_call(why, PINREG_REASON_FILE_SYSTEM_CALL, "starting the watcher",
				status);
	return status;
}

/* With lock held. Whatever one more file needs, so that nothing can fail later. */
static int reserve(struct pinreg_watch *watch, struct pinreg_why *why)
{
	size_t count = watch->count + 1;
	int status = pinreg_table_reserve(&watch->by_fd, count);
	if (!status)
		status = pinreg_table_reserve(&watch->by_inotify, count);
	if (!status)
		status = pinreg_mapped_reserve(&watch->mapped, count);
	if (!status)
		status = pinreg_agenda_reserve(&watch->agenda, count);
	return status ? pinreg_why_call(why, PINREG_REASON_FILE_SYSTEM_CALL, "realloc", status) : 0;
}

static void link_file(struct pinreg_watch *watch, struct pinreg_file *file)
{
	file->previous = NULL;
	file->next = watch->files;
	if (watch->files)
		watch->files->previous = file;
	watch->files = file;
	watch->count++;
	pinreg_table_add(&watch->by_fd, &file->by_fd, file->prepared.fd, file);
}

static void unlink_file(struct pinreg_watch *watch, struct pinreg_file *file)
{
	if (file->previous)
		file->previous->next = file->next;
	else
		watch->files = file->next;
	if (file->next)
		file->next->previous = file->previous;
	watch->count--;
	pinreg_table_remove(&watch->by_fd, &file->by_fd);
	pinreg_mapped_remove(&watch->mapped, file);
}

/* With lock held. */
static int be_running(struct pinreg_watch *watch, struct pinreg_why *why)
{
	while (watch->state == PINREG_WATCH_STARTING)
		pthread_cond_wait(&watch->changed, &watch->lock);
	return watch->state == PINREG_WATCH_RUNNING ? 0 : start(watch, why);
}

int pinreg_watch_start(struct pinreg_watch *watch)
{
	struct pinreg_why unheard;
	pthread_mutex_lock(&watch->lock);
	int status = be_running(watch, &unheard);
	pthread_mutex_unlock(&watch->lock);
	return status;
}

int pinreg_watch_add(struct pinreg_watch *watch, struct pinreg_file *file, struct pinreg_why *why)
{
	pthread_mutex_lock(&watch->lock);
	int status = be_running(watch, why);
	if (!status)
		status = reserve(watch, why);
	if (!status)
		link_file(watch, file);
	pthread_mutex_unlock(&watch->lock);
	return status;
}

void pinreg_watch_hold(struct pinreg_file *file)
{
	file->state = PINREG_FILE_HELD;
	file->zeroed = file->prepared.zeroed;
	file->extents = file->prepared.report.extents;
	file->inode = file->prepared.inode;
	file->length = file->prepared.length;
	pinreg_watch_sort(file);
}

void pinreg_watch_publish(struct pinreg_file *file)
{
	pinreg_mapped_add(&file->watch->mapped, file);
	/* already now: when it is broken somebody waits */
	if (file->guard.seal != PINREG_SEAL_NONE)
		pinreg_watch_hear_closes(file);
	/* it may have been replaced before that */
	file->nudged = file->on_replaced == PINREG_REPLACED_FOLLOW;
	pinreg_watch_hold(file);
}

void pinreg_watch_sort(struct pinreg_file *file)
{
	struct pinreg_watch *watch = file->watch;
	if (pinreg_agenda_put(&watch->agenda, file) == PINREG_TURN_RETURN)
		pthread_cond_signal(&watch->returns);
}

void pinreg_watch_begin_work(struct pinreg_file *file)
{
	file->busy = true;
	pinreg_watch_sort(file);
	pthread_mutex_unlock(&file->watch->lock);
}

void pinreg_watch_end_work(struct pinreg_file *file)
{
	struct pinreg_watch *watch = file->watch;
	pthread_mutex_lock(&watch->lock);
	file->busy = false;
	pinreg_watch_sort(file);
	pthread_cond_broadcast(&watch->changed);
}

void pinreg_watch_remove(struct pinreg_watch *watch, struct pinreg_file *file)
{
	atomic_store(&file->give_up, true);
	pthread_mutex_lock(&watch->lock);
	file->closing = true;
	pinreg_watch_sort(file);
	while (file->busy)
		pthread_cond_wait(&watch->changed, &watch->lock);
	unlink_file(watch, file);
	pinreg_watch_ignore_closes(file);
	pthread_mutex_unlock(&watch->lock);
}

static void hear(struct pinreg_file *file, bool opens)
{
	struct pinreg_watch *watch = file->watch;
	/* the number of an inode stays the same until it is ignored */
	int number = watch->device->sys->inotify_watch(watch->inotify_fd, file->prepared.fd, opens);
	if (file->by_inotify.file)
		return;
	/* without one it is tried again and again, more seldom each time */
	if (number >= 0)
		pinreg_table_add(&watch->by_inotify, &file->by_inotify, number, file);
}

void pinreg_watch_hear_closes(struct pinreg_file *file)
{
	hear(file, false);
}

void pinreg_watch_hear_opens(struct pinreg_file *file)
{
	hear(file, true);
}

void pinreg_watch_ignore_closes(struct pinreg_file *file)
{
	struct pinreg_watch *watch = file->watch;
	if (file->by_inotify.file)
		watch->device->sys->inotify_unwatch(watch->inotify_fd, file->by_inotify.key);
	pinreg_table_remove(&watch->by_inotify, &file->by_inotify);
}

struct pinreg_file *pinreg_watch_find(struct pinreg_watch *watch, uint64_t addr, uint64_t length,
				      bool *whole)
{
	pthread_mutex_lock(&watch->lock);
	struct pinreg_file *file = pinreg_mapped_before(&watch->mapped, addr + length);
	if (file) {
		uint64_t start = (uintptr_t)file->prepared.addr;
		uint64_t end = start + file->prepared.reserved;
		*whole = addr >= start && addr + length <= end;
		if (addr >= end)
			file = NULL;
	}
	pthread_mutex_unlock(&watch->lock);
	return file;
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
	pthread_mutex_lock(&watch->lock);
	if (watch->state == PINREG_WATCH_RUNNING) {
		stop(watch, true);
		close_sources(watch);
	}
	pthread_mutex_unlock(&watch->lock);
	pinreg_watch_device_end(watch);
	pinreg_agenda_destroy(&watch->agenda);
	pinreg_mapped_destroy(&watch->mapped);
	pinreg_table_destroy(&watch->by_inotify);
	pinreg_table_destroy(&watch->by_fd);
	pthread_cond_destroy(&watch->returns);
	pthread_cond_destroy(&watch->changed);
	pthread_mutex_destroy(&watch->lock);
}
