/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * running.c -- how the threads of a watch start and end.
 */
#include <errno.h>

#include <pinreg/domain.h>

#include "base/thread.h"
#include "base/why.h"
#include "watch/device.h"
#include "watch/threads.h"
#include "watch/watch.h"

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

int pinreg_watch_be_running(struct pinreg_watch *watch, struct pinreg_why *why)
{
	/* a start that fails stops what it had started: that is not over before it says so */
	while (watch->state == PINREG_WATCH_STARTING || watch->state == PINREG_WATCH_STOPPING)
		pthread_cond_wait(&watch->changed, &watch->lock);
	return watch->state == PINREG_WATCH_RUNNING ? 0 : start(watch, why);
}

int pinreg_watch_start(struct pinreg_watch *watch)
{
	struct pinreg_why unheard;
	pthread_mutex_lock(&watch->lock);
	int status = pinreg_watch_be_running(watch, &unheard);
	pthread_mutex_unlock(&watch->lock);
	return status;
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
