/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * threads.c -- what the two threads sleep on and what wakes them.
 */
#include "watch/threads.h"

#include <limits.h>

#include "watch/device.h"
#include "watch/steps.h"

#define AT_ONCE 32

static void mark_broken(struct pinreg_file *file)
{
	file->broken = true;
	pinreg_watch_sort(file);
}

static void mark_nudged(struct pinreg_file *file)
{
	file->nudged = true;
	pinreg_watch_sort(file);
}

/* Of that number or, where numbers were lost, all. Is there such a file? */
static bool mark(struct pinreg_watch *watch, const struct pinreg_table *table, int number,
		 void (*one)(struct pinreg_file *))
{
	struct pinreg_file *file;
	if (number >= 0) {
		file = pinreg_table_find(table, number);
		if (file)
			one(file);
		return file;
	}
	for (file = watch->files; file; file = file->next)
		one(file);
	return true;
}

static void take_signals(struct pinreg_watch *watch)
{
	const struct pinreg_sys *sys = watch->device->sys;
	int broken[AT_ONCE];
	int count;
	do {
		count = sys->signals_next(&watch->signals, broken, AT_ONCE);
		for (int i = 0; i < count; i++)
			/* of a file that was closed since, or of nobody's here */
			if (!mark(watch, &watch->by_fd, broken[i], mark_broken))
				sys->signals_unknown(&watch->signals, broken[i]);
	} while (count == AT_ONCE);
}

static void take_closes(struct pinreg_watch *watch)
{
	int seen[AT_ONCE];
	/* once: who makes more of them all the time must not keep us here, poll tells again */
	int count = watch->device->sys->inotify_next(watch->inotify_fd, seen, AT_ONCE);
	for (int i = 0; i < count; i++)
		mark(watch, &watch->by_inotify, seen[i], mark_nudged);
}

static int timeout_ms(struct pinreg_watch *watch)
{
	uint64_t due = pinreg_agenda_due(&watch->agenda);
	uint64_t now = watch->device->sys->now_ns();
	if (due == UINT64_MAX)
		return -1;
	if (due <= now)
		return 0;
	/* rounded up, or the last millisecond would spin */
	uint64_t ms = (due - now + 999999) / 1000000;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

/* Until something happens or a step is due. With lock held; gives it up. */
static void sleep_until_due(struct pinreg_watch *watch)
{
	const struct pinreg_sys *sys = watch->device->sys;
	struct pinreg_wakeup wakeup = { 0 };
	int timeout = timeout_ms(watch);

	pthread_mutex_unlock(&watch->lock);
	sys->wait(watch->command_fd, watch->inotify_fd, watch->signals.epoll, watch->device_fd,
		  timeout, &wakeup);
	if (wakeup.command)
		sys->event_clear(watch->command_fd);
	if (wakeup.device)
		pinreg_watch_device_news(watch);
	pthread_mutex_lock(&watch->lock);
	if (wakeup.inotify)
		take_closes(watch);
	if (wakeup.signals)
		take_signals(watch);
}

void *pinreg_watcher_run(void *context)
{
	struct pinreg_watch *watch = context;
	const struct pinreg_sys *sys = watch->device->sys;
	int status = sys->signals_open(&watch->signals);

	pthread_mutex_lock(&watch->lock);
	watch->thread_id = sys->thread_id();
	watch->start_status = status;
	pthread_cond_broadcast(&watch->changed);
	while (!status && watch->state != PINREG_WATCH_STOPPING) {
		pinreg_steps_all(watch);
		sleep_until_due(watch);
	}
	pthread_mutex_unlock(&watch->lock);
	return NULL;
}

void *pinreg_returner_run(void *context)
{
	struct pinreg_watch *watch = context;
	pthread_mutex_lock(&watch->lock);
	while (watch->state != PINREG_WATCH_STOPPING) {
		struct pinreg_file *file = pinreg_agenda_first(&watch->agenda, PINREG_TURN_RETURN);
		if (!file) {
			pthread_cond_wait(&watch->returns, &watch->lock);
			continue;
		}
		pinreg_watch_begin_work(file);
		pinreg_return(file);
		pinreg_watch_end_work(file);
		/* it may have been broken meanwhile, or be waiting again */
		pinreg_watch_wake(watch);
	}
	pthread_mutex_unlock(&watch->lock);
	return NULL;
}
