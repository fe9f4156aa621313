/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * steps.c -- what the watcher does with a file in each state.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/why.h"
#include "watch/watch.h"

#define BACKOFF_FIRST_NS ((uint64_t)2 * 1000000)
#define BACKOFF_LAST_NS ((uint64_t)1000 * 1000000)
#define FENCE_AGAIN_NS ((uint64_t)10 * 1000000)

static uint64_t now(const struct pinreg_watch *watch)
{
	return watch->device->sys->now_ns();
}

/* An event of the file as it is, to be completed. */
static struct pinreg_event event_of(struct pinreg_file *file, enum pinreg_event_type type)
{
	return (struct pinreg_event){
		.type = type,
		.file = file,
		.generation = pinreg_set_generation(&file->regions),
		.breaker = file->breaker,
		.old_size = file->prepared.length,
	};
}

static void set_state(struct pinreg_file *file, enum pinreg_file_state state)
{
	pthread_mutex_lock(&file->watch->lock);
	file->state = state;
	file->acked = false;
	pthread_mutex_unlock(&file->watch->lock);
}

/* HELD, and a signal came. Does somebody really wait? Outside the lock. */
static void begin_break(struct pinreg_file *file)
{
	struct pinreg_watch *watch = file->watch;
	int type = F_UNLCK;
	watch->device->sys->lease_get(file->prepared.fd, &type);
	if (type == F_WRLCK)
		return; /* a late signal of another file that had this descriptor */
	file->breaker = type == F_RDLCK ? PINREG_BREAKER_READER : PINREG_BREAKER_WRITER;
	file->noticed_ns = now(watch);
	file->due_ns = file->noticed_ns + watch->quiesce_ns;
	set_state(file, PINREG_FILE_BREAKING);
	struct pinreg_event event = event_of(file, PINREG_EVENT_BREAK);
	event.deadline_ns = file->due_ns;
	pinreg_events_push(watch->events, &event);
}

/* Look for the breaker's close before it can happen, then let him in. */
static void yield_lease(struct pinreg_file *file)
{
	struct pinreg_watch *watch = file->watch;
	const struct pinreg_sys *sys = watch->device->sys;
	file->inotify = sys->inotify_watch(watch->inotify_fd, file->prepared.fd);
	sys->lease_release(file->prepared.fd);
	file->released_ns = now(watch);
	file->backoff_ns = BACKOFF_FIRST_NS;
	file->due_ns = file->released_ns + file->backoff_ns;
	set_state(file, PINREG_FILE_WAITING);
}

/* BREAKING, and the owner is done or his time is over. Outside the lock. */
static void fence(struct pinreg_file *file)
{
	struct pinreg_watch *watch = file->watch;
	uint64_t begun_ns = now(watch);
	int status = pinreg_set_fence(&file->regions);
	if (status) {
		/* as long as a key works, nobody may be let in */
		pinreg_log(&watch->device->log, PINREG_LOG_ERROR,
			   "%s: fencing failed, trying again: %s", file->prepared.path,
			   strerror(-status));
		file->due_ns = now(watch) + FENCE_AGAIN_NS;
		set_state(file, PINREG_FILE_BREAKING);
		return;
	}
	yield_lease(file);
	pinreg_log(&watch->device->log, PINREG_LOG_INFO,
		   "%s: lease broken; %.3f ms to quiesce, %.3f ms to fence and release",
		   file->prepared.path, (double)(begun_ns - file->noticed_ns) / 1e6,
		   (double)(file->released_ns - begun_ns) / 1e6);
	struct pinreg_event event = event_of(file, PINREG_EVENT_FENCED);
	event.held_up_ns = file->released_ns - file->noticed_ns;
	pinreg_events_push(watch->events, &event);
}

static void stop_waiting(struct pinreg_file *file)
{
	struct pinreg_watch *watch = file->watch;
	if (file->inotify >= 0)
		watch->device->sys->inotify_unwatch(watch->inotify_fd, file->inotify);
	file->inotify = -1;
}

static void lose(struct pinreg_file *file, const struct pinreg_why *why, uint64_t new_size)
{
	stop_waiting(file);
	pinreg_set_lose(&file->regions);
	file->watch->device->sys->lease_release(file->prepared.fd);
	set_state(file, PINREG_FILE_LOST);
	struct pinreg_event event = event_of(file, PINREG_EVENT_LOST);
	event.why = *why;
	event.new_size = new_size;
	pinreg_events_push(file->watch->events, &event);
}

/*
 * Asked between pieces of a preparation in the thread: other files must not
 * wait for this one. True: give up, this one is wanted again.
 */
static bool serve_others(void *context)
{
	struct pinreg_file *file = context;
	struct pinreg_watch *watch = file->watch;
	pthread_mutex_lock(&watch->lock);
	pinreg_watch_take_signals(watch);
	pinreg_watch_steps(watch, true);
	bool wanted = file->broken || file->closing || watch->stop;
	pthread_mutex_unlock(&watch->lock);
	return wanted;
}

/* The lease is ours again: is the file what it was, or can it be made so? */
static int revalidate(struct pinreg_file *file, uint64_t *found_size, struct pinreg_why *why)
{
	struct pinreg_interrupt interrupt = { serve_others, file };
	struct pinreg_file_look look;
	int status = file->watch->device->sys->file_look(file->prepared.fd, &look);
	if (status)
		return pinreg_why_call(why, PINREG_REASON_FILE_SYSTEM_CALL, "statx", status);
	*found_size = look.size;
	if (look.size < file->prepared.length && file->on_shrink == PINREG_SHRINK_GIVE_UP) {
		pinreg_why_set(why, PINREG_REASON_FILE_SHRUNK, -ESTALE);
		why->used = look.size;
		why->wanted = file->prepared.length;
		return -ESTALE;
	}
	status = pinreg_prepared_prepare(&file->prepared, &interrupt, why);
	if (!status)
		status = pinreg_set_restore(&file->regions, why);
	return status;
}

static void come_back(struct pinreg_file *file)
{
	struct pinreg_watch *watch = file->watch;
	struct pinreg_why why = { 0 };
	uint64_t found_size = 0;

	stop_waiting(file);
	set_state(file, PINREG_FILE_REVALIDATE);
	int status = revalidate(file, &found_size, &why);
	if (status && why.reason == PINREG_REASON_FILE_TAKEN) {
		yield_lease(file);
		return;
	}
	if (status) {
		lose(file, &why, found_size);
		return;
	}
	pthread_mutex_lock(&watch->lock);
	pinreg_watch_hold(file);
	pthread_mutex_unlock(&watch->lock);
	struct pinreg_event event = event_of(file, PINREG_EVENT_RESTORED);
	event.away_ns = now(watch) - file->released_ns;
	event.new_size = found_size;
	event.zeroed = file->prepared.zeroed;
	event.zeroed_offset = file->prepared.zeroed_offset;
	pinreg_events_push(watch->events, &event);
}

/* WAITING: has everybody else closed the file? Outside the lock. */
static void try_again(struct pinreg_file *file)
{
	struct pinreg_watch *watch = file->watch;
	const struct pinreg_sys *sys = watch->device->sys;
	struct pinreg_why why;
	int status = pinreg_prepared_check_path(&file->prepared);
	if (status == -ESTALE) {
		pinreg_why_set(&why, PINREG_REASON_FILE_REPLACED, -ESTALE);
		lose(file, &why, 0);
		return;
	}
	status = sys->lease_take(file->prepared.fd, watch->signal, watch->thread_id);
	if (status == -EAGAIN || status == -EBUSY) {
		file->due_ns = now(watch) + file->backoff_ns;
		if (file->backoff_ns < BACKOFF_LAST_NS)
			file->backoff_ns *= 2;
	} else if (status) {
		pinreg_why_call(&why, PINREG_REASON_FILE_SYSTEM_CALL, "F_SETLEASE", status);
		lose(file, &why, 0);
	} else {
		come_back(file);
	}
}

typedef void step_function(struct pinreg_file *file);

/* What is due for the file, or NULL; urgent: only what somebody waits for. */
static step_function *step_of(const struct pinreg_file *file, uint64_t time, bool urgent)
{
	if (file->busy || file->closing)
		return NULL;
	switch (file->state) {
	case PINREG_FILE_HELD:
		return urgent && file->broken ? begin_break : NULL;
	case PINREG_FILE_BREAKING:
		return urgent && (file->acked || time >= file->due_ns) ? fence : NULL;
	case PINREG_FILE_WAITING:
		return !urgent && (file->nudged || time >= file->due_ns) ? try_again : NULL;
	default:
		return NULL;
	}
}

static struct pinreg_file *find_step(struct pinreg_watch *watch, bool urgent, step_function **step)
{
	uint64_t time = now(watch);
	for (struct pinreg_file *file = watch->files; file; file = file->next) {
		*step = step_of(file, time, urgent);
		if (*step)
			return file;
	}
	return NULL;
}

/* Take one step with the file, without the lock. */
static void take_step(struct pinreg_watch *watch, struct pinreg_file *file, step_function *step)
{
	file->busy = true;
	file->nudged = false;
	file->broken = false;
	pthread_mutex_unlock(&watch->lock);
	step(file);
	pthread_mutex_lock(&watch->lock);
	file->busy = false;
	pthread_cond_broadcast(&watch->changed);
}

void pinreg_watch_steps(struct pinreg_watch *watch, bool urgent)
{
	struct pinreg_file *file;
	step_function *step;
	do {
		/* from the head each time: the list may change while the lock is given up */
		file = find_step(watch, true, &step);
		if (!file && !urgent)
			file = find_step(watch, false, &step);
		if (file)
			take_step(watch, file, step);
		pinreg_watch_take_signals(watch);
	} while (file && !watch->stop);
}

uint64_t pinreg_watch_due(const struct pinreg_watch *watch)
{
	uint64_t due = UINT64_MAX;
	for (const struct pinreg_file *file = watch->files; file; file = file->next)
		if ((file->state == PINREG_FILE_BREAKING || file->state == PINREG_FILE_WAITING) &&
		    !file->closing && file->due_ns < due)
			due = file->due_ns;
	return due;
}
