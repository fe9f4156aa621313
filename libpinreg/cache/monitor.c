/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * monitor.c -- the thread that hears of memory that is unmapped, moved or emptied.
 */
#include "cache/monitor.h"

#include <errno.h>
#include <stddef.h>

#include "base/thread.h"
#include "base/why.h"

/* Ranges taken at once. */
#define AT_ONCE 32u

static uint64_t round_down(uint64_t addr, uint64_t page)
{
	return addr - addr % page;
}

static uint64_t round_up(uint64_t addr, uint64_t page)
{
	return round_down(addr + page - 1, page);
}

/* ---- the thread ---- */

/* Nobody is stopped any more for us, and nobody is told. */
static void close_ears(struct pinreg_cache_monitor *monitor)
{
	/* in one step and without a lock that somebody may hold who is stopped */
	monitor->sys->descriptor_replace(monitor->fd, monitor->event);
}

/* Nothing more can be heard: then all that was heard of till now is worth nothing. */
static void lose(struct pinreg_cache_monitor *monitor)
{
	monitor->hooks->begin(monitor->context);
	close_ears(monitor);
	monitor->hooks->changed(monitor->context, 0, UINT64_MAX);
	monitor->hooks->end(monitor->context);
}

/* Read all there is. 0 or -errno. */
static int pass_on(struct pinreg_cache_monitor *monitor)
{
	const struct pinreg_cache_monitor_hooks *hooks = monitor->hooks;
	const struct pinreg_sys *sys = monitor->sys;
	struct pinreg_unmap unmaps[AT_ONCE];
	int count;
	hooks->begin(monitor->context);
	while ((count = sys->unmaps_next(monitor->fd, unmaps, AT_ONCE)) > 0) {
		for (int i = 0; i < count; i++) {
			const struct pinreg_unmap *one = &unmaps[i];
			/* first: what is too late for changed() finds this */
			if (one->later)
				pinreg_emptied_add(&monitor->emptied, one->addr,
						   one->addr + one->length, sys->now_ns());
			hooks->changed(monitor->context, one->addr, one->length);
		}
	}
	hooks->end(monitor->context);
	return count;
}

/* The page of the trial is being unmapped, or has been without a message. */
static void hear_trial(struct pinreg_cache_monitor *monitor)
{
	struct pinreg_monitor_trial *trial = &monitor->trial;
	const struct pinreg_sys *sys = monitor->sys;
	struct pinreg_unmap unmaps[AT_ONCE];
	bool message = false, raised = false, heard = false, pending = false;
	int count = 0;
	while (!count && !message && !raised)
		count = sys->unmaps_wait(monitor->fd, monitor->event, &message, &raised);
	if (message) {
		pending = sys->unmaps_pending(monitor->fd) == 1;
		count = sys->unmaps_next(monitor->fd, unmaps, AT_ONCE);
		for (int i = 0; i < count; i++)
			heard |= unmaps[i].addr == trial->addr && unmaps[i].length == trial->length;
	}
	if (count < 0)
		close_ears(monitor); /* or who unmaps it would wait for ever */
	pthread_mutex_lock(&trial->lock);
	trial->heard = heard;
	trial->pending = pending;
	trial->done = true;
	pthread_cond_signal(&trial->changed);
	pthread_mutex_unlock(&trial->lock);
}

static void *run(void *context)
{
	struct pinreg_cache_monitor *monitor = context;
	const struct pinreg_sys *sys = monitor->sys;
	bool deaf = false;
	hear_trial(monitor);
	while (!atomic_load(&monitor->ending)) {
		bool message = false, raised = false;
		int status = sys->unmaps_wait(deaf ? -1 : monitor->fd, monitor->event, &message,
					      &raised);
		if (raised)
			sys->event_clear(monitor->event);
		if (!status && message)
			status = pass_on(monitor);
		if (status)
			lose(monitor);
		deaf |= status;
	}
	/* whoever ends the thread may be stopped too, in what frees its stack */
	close_ears(monitor);
	return NULL;
}

/* ---- starting and stopping ---- */

/* Of all reasons that the call may have had the caller is told those he can help. */
static int refuse(struct pinreg_why *why, const char *step, int status)
{
	pinreg_why_call(why, PINREG_REASON_UNHEARD, step, status);
	if (status != -EMFILE && status != -ENFILE && status != -ENOMEM && status != -EAGAIN)
		status = -EOPNOTSUPP;
	if (why)
		why->error = status;
	return status;
}

static void end_thread(struct pinreg_cache_monitor *monitor)
{
	atomic_store(&monitor->ending, true);
	monitor->sys->event_raise(monitor->event);
	pthread_join(monitor->thread, NULL);
}

static void close_descriptors(struct pinreg_cache_monitor *monitor)
{
	if (monitor->fd >= 0)
		monitor->sys->file_close(monitor->fd);
	if (monitor->event >= 0)
		monitor->sys->file_close(monitor->event);
}

static int open_descriptors(struct pinreg_cache_monitor *monitor, const char **step)
{
	monitor->event = -1;
	monitor->fd = monitor->sys->unmaps_open(step);
	if (monitor->fd < 0)
		return monitor->fd;
	*step = "eventfd";
	monitor->event = monitor->sys->event_open();
	return monitor->event < 0 ? monitor->event : 0;
}

/* Unmap the page, and find out what was told of it. */
static int finish_trial(struct pinreg_cache_monitor *monitor, bool strict, const char **step)
{
	struct pinreg_monitor_trial *trial = &monitor->trial;
	const struct pinreg_sys *sys = monitor->sys;
	sys->unmap((void *)(uintptr_t)trial->addr, trial->length);
	bool pending = sys->unmaps_pending(monitor->fd) != 0;
	/* where there was no message the thread waits still */
	sys->event_raise(monitor->event);
	pthread_mutex_lock(&trial->lock);
	while (!trial->done)
		pthread_cond_wait(&trial->changed, &trial->lock);
	bool heard = trial->heard;
	bool precise = trial->pending && !pending;
	pthread_mutex_unlock(&trial->lock);
	*step = "read(userfaultfd)";
	if (!heard)
		return -ENOMSG;
	*step = "UFFDIO_WRITEPROTECT";
	return strict && !precise ? -ENOMSG : 0;
}

/* With a page of its own, and the thread that is there from now on. 0 or -errno. */
static int try(struct pinreg_cache_monitor *monitor, bool strict, const char **step)
{
	struct pinreg_monitor_trial *trial = &monitor->trial;
	const struct pinreg_sys *sys = monitor->sys;
	void *page = NULL;
	trial->length = sys->page_size();
	*step = "mmap";
	int status = sys->map_anonymous(trial->length, &page);
	if (status)
		return status;
	trial->addr = (uintptr_t)page;
	*step = "UFFDIO_REGISTER";
	status = sys->unmaps_watch(monitor->fd, trial->addr, trial->length);
	if (!status && strict && sys->unmaps_pending(monitor->fd)) {
		*step = "UFFDIO_WRITEPROTECT";
		status = -ENOMSG;
	}
	if (!status) {
		*step = "pthread_create";
		status = pinreg_thread_start(&monitor->thread, "pinreg-monitor", run, monitor);
	}
	if (status) {
		/* nobody reads: it must not be watched when it is unmapped */
		sys->file_close(monitor->fd);
		monitor->fd = -1;
		sys->unmap(page, trial->length);
		return status;
	}
	status = finish_trial(monitor, strict, step);
	if (status)
		end_thread(monitor);
	return status;
}

int pinreg_monitor_start(struct pinreg_cache_monitor *monitor, const struct pinreg_sys *sys,
			 const struct pinreg_cache_monitor_hooks *hooks, void *context, bool strict,
			 struct pinreg_why *why)
{
	const char *step = NULL;
	*monitor = (struct pinreg_cache_monitor){ .sys = sys, .hooks = hooks, .context = context };
	pinreg_emptied_open(&monitor->emptied);
	pthread_mutex_init(&monitor->trial.lock, NULL);
	pthread_cond_init(&monitor->trial.changed, NULL);
	int status = open_descriptors(monitor, &step);
	if (!status)
		status = try(monitor, strict, &step);
	pthread_cond_destroy(&monitor->trial.changed);
	pthread_mutex_destroy(&monitor->trial.lock);
	if (!status)
		return 0;
	close_descriptors(monitor);
	pinreg_emptied_close(&monitor->emptied);
	return refuse(why, step, status);
}

void pinreg_monitor_stop(struct pinreg_cache_monitor *monitor)
{
	end_thread(monitor);
	close_descriptors(monitor);
	pinreg_emptied_close(&monitor->emptied);
}

/* ---- what is watched ---- */

/* Bytes of a page at addr; 0: nothing is mapped there, or nobody knows. */
static uint64_t page_size_at(const struct pinreg_sys *sys, uint64_t addr)
{
	struct pinreg_maps maps;
	struct pinreg_mapping mapping;
	struct pinreg_mapped_file file = { 0 };
	if (sys->maps_begin(&maps))
		return 0;
	int status = sys->maps_find(&maps, addr, &mapping);
	sys->maps_end(&maps);
	if (status || mapping.start > addr)
		return 0;
	if (pinreg_mapping_has_file(&mapping))
		sys->mapped_file(&mapping, &file);
	return file.page_size ? file.page_size : mapping.page_size;
}

int pinreg_monitor_watch(struct pinreg_cache_monitor *monitor, uint64_t addr, uint64_t length)
{
	const struct pinreg_sys *sys = monitor->sys;
	uint64_t page = sys->page_size();
	uint64_t start = round_down(addr, page), end = round_up(addr + length, page);
	int status = sys->unmaps_watch(monitor->fd, start, end - start);
	if (status != -EINVAL)
		return status;
	/* perhaps since huge pages can only be watched as a whole */
	uint64_t first = page_size_at(sys, addr), last = page_size_at(sys, addr + length - 1);
	if (!first || !last || (first == page && last == page))
		return status;
	start = round_down(addr, first);
	end = round_up(addr + length, last);
	return sys->unmaps_watch(monitor->fd, start, end - start);
}

bool pinreg_monitor_unwatch(struct pinreg_cache_monitor *monitor, uint64_t addr, uint64_t length)
{
	const struct pinreg_sys *sys = monitor->sys;
	uint64_t page = sys->page_size();
	uint64_t start = round_down(addr, page), end = round_up(addr + length, page);
	/* the kernel ends a registration whosever it is: so first, is it ours to have? */
	return !sys->unmaps_watch(monitor->fd, start, end - start) &&
	       !sys->unmaps_unwatch(monitor->fd, start, end - start);
}

bool pinreg_monitor_settled(struct pinreg_cache_monitor *monitor, uint64_t addr, uint64_t length)
{
	if (!pinreg_emptied_ever(&monitor->emptied))
		return true;
	uint64_t page = monitor->sys->page_size();
	return !pinreg_emptied_touches(&monitor->emptied, round_down(addr, page),
				       round_up(addr + length, page), monitor->sys->now_ns());
}
