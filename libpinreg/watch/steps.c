/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * steps.c -- what the watcher does with a file: notice a break, fence, yield,
 * try to take it back. Nothing here waits.
 */
#include "watch/steps.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/why.h"
#include "file/range.h"
#include "watch/loss.h"

#define MS ((uint64_t)1000000)
#define BACKOFF_LAST (1000 * MS)

/* Files that are tried before the watcher looks whether others were broken. */
#define CALM_AT_ONCE 16

static uint64_t now(const struct pinreg_watch *watch)
{
	return watch->device->sys->now_ns();
}

void pinreg_steps_enter(struct pinreg_file *file, enum pinreg_file_state state)
{
	pthread_mutex_lock(&file->watch->lock);
	file->state = state;
	file->acked = false;
	file->nudged = false;
	pthread_mutex_unlock(&file->watch->lock);
}

static void enter_until(struct pinreg_file *file, enum pinreg_file_state state, uint64_t due_ns)
{
	pthread_mutex_lock(&file->watch->lock);
	file->due_ns = due_ns;
	pthread_mutex_unlock(&file->watch->lock);
	pinreg_steps_enter(file, state);
}

struct pinreg_event pinreg_steps_event(struct pinreg_file *file, enum pinreg_event_type type)
{
	return (struct pinreg_event){
		.type = type,
		.file = file,
		.generation = pinreg_set_generation(&file->regions),
		.breaker = file->breaker,
	};
}

static uint64_t twice(uint64_t backoff_ns)
{
	return backoff_ns < BACKOFF_LAST ? backoff_ns * 2 : BACKOFF_LAST;
}

/*
 * HELD, and a signal came or the inode was changed. Does somebody really wait? It
 * may be a late signal of another file that had this descriptor.
 */
static enum pinreg_breaker find_breaker(struct pinreg_file *file)
{
	int type = F_UNLCK;
	if (file->guard.seal == PINREG_SEAL_NONE)
		return PINREG_BREAKER_NONE; /* it is not leased */
	file->watch->device->sys->lease_get(file->prepared.fd, &type);
	if (type != F_WRLCK)
		return type == F_RDLCK ? PINREG_BREAKER_READER : PINREG_BREAKER_WRITER;
	if (file->on_replaced == PINREG_REPLACED_GIVE_UP)
		return PINREG_BREAKER_NONE;
	int status = pinreg_prepared_check_path(&file->prepared);
	return status == -ESTALE || status == -ENOENT ? PINREG_BREAKER_REPLACED
						      : PINREG_BREAKER_NONE;
}

/* Once for each break. */
static void tell_break(struct pinreg_file *file)
{
	if (!file->deadline_ns)
		return;
	struct pinreg_event event = pinreg_steps_event(file, PINREG_EVENT_BREAK);
	event.deadline_ns = file->deadline_ns;
	file->deadline_ns = 0;
	pinreg_events_push(file->watch->events, &event);
}

/* How long the owner may drain, if he is to have that long. */
static uint64_t time_to_drain(struct pinreg_file *file, uint64_t quiesce_ns)
{
	if (!quiesce_ns)
		return 0;
	/* the kernel lets him in after lease-break-time, ready or not; or has done so */
	uint64_t limit = file->watch->device->sys->lease_break_ns() / 2;
	if (file->breaker != PINREG_BREAKER_REPLACED && !pinreg_loss_held(file))
		return 0;
	return quiesce_ns < limit ? quiesce_ns : limit;
}

static void look_at_held(struct pinreg_file *file)
{
	enum pinreg_breaker breaker = find_breaker(file);
	if (breaker == PINREG_BREAKER_NONE)
		return;
	if (breaker == PINREG_BREAKER_READER && file->on_reader == PINREG_READER_ADMIT &&
	    pinreg_admit(file))
		return;
	pinreg_steps_break(file, breaker, file->watch->quiesce_ns);
}

void pinreg_steps_break(struct pinreg_file *file, enum pinreg_breaker breaker, uint64_t quiesce_ns)
{
	struct pinreg_watch *watch = file->watch;
	file->breaker = breaker;
	file->noticed_ns = now(watch);
	file->owner_knows = true;
	file->fence_status = 0;
	file->backoff_ns = MS;
	file->leased = file->state != PINREG_FILE_SHARED;
	file->held_ns = 0;
	uint64_t quiesce = time_to_drain(file, quiesce_ns);
	pinreg_set_drain(&file->regions);
	file->deadline_ns = file->noticed_ns + quiesce;
	enter_until(file, PINREG_FILE_BREAKING, file->deadline_ns);
	/* who has no time to drain is not woken before the breaker is let in */
	if (quiesce)
		tell_break(file);
}

/*
 * The keys are dead, and we work in the memory ourselves: go on as soon as nobody
 * does. There is no time at which that must be.
 */
static void wait_for_work(struct pinreg_file *file)
{
	enter_until(file, PINREG_FILE_BREAKING, UINT64_MAX);
	pthread_mutex_lock(&file->watch->lock);
	file->acked = true;
	pthread_mutex_unlock(&file->watch->lock);
}

/* The kernel does not let go of a registration. */
static void fence_again(struct pinreg_file *file, int status)
{
	struct pinreg_watch *watch = file->watch;
	if (status != file->fence_status)
		pinreg_log(&watch->device->log, PINREG_LOG_ERROR,
			   "%s: a region cannot be deregistered, trying again: %s",
			   file->prepared.path, strerror(-status));
	file->fence_status = status;
	enter_until(file, PINREG_FILE_BREAKING, now(watch) + file->backoff_ns);
	file->backoff_ns = twice(file->backoff_ns);
}

/* Nobody is let in to a sealed file. Its record stays: it is to be sealed again. */
static void unseal(struct pinreg_file *file)
{
	int status = pinreg_guard_unseal(&file->guard, &file->prepared);
	if (status)
		pinreg_log(&file->watch->device->log, PINREG_LOG_ERROR,
			   "%s: the immutable flag cannot be taken off: %s", file->prepared.path,
			   strerror(-status));
}

void pinreg_steps_yield(struct pinreg_file *file)
{
	struct pinreg_watch *watch = file->watch;
	/* from before the release on, or the breaker's close could be missed */
	if (!file->by_inotify.file) {
		pthread_mutex_lock(&watch->lock);
		pinreg_watch_hear_closes(file);
		pthread_mutex_unlock(&watch->lock);
	}
	unseal(file);
	pinreg_loss_release(file);
	file->released_ns = now(watch);
	file->backoff_ns = PINREG_BACKOFF_FIRST;
	enter_until(file, PINREG_FILE_WAITING, file->released_ns + file->backoff_ns);
}

/* BREAKING, and the owner is done or his time is over. */
static void fence(struct pinreg_file *file)
{
	struct pinreg_watch *watch = file->watch;
	uint64_t begun_ns = now(watch);
	int status = pinreg_set_fence(&file->regions);
	/* as long as a key works, or the memory is in use, nobody is let in */
	if (status == -EINPROGRESS) {
		wait_for_work(file);
		return;
	}
	if (status) {
		fence_again(file, status);
		return;
	}
	/* who still stores there stores into nobody's memory */
	pinreg_range_nobody(&file->prepared);
	if (file->lose) {
		pinreg_steps_lose(file, &file->lost_why);
		return;
	}
	pinreg_steps_yield(file);
	if (!file->owner_knows)
		return; /* he has not heard of the return either */
	pinreg_log(&watch->device->log, PINREG_LOG_INFO,
		   "%s: lease broken; %.3f ms to quiesce, %.3f ms to fence and release",
		   file->prepared.path, (double)(begun_ns - file->noticed_ns) / 1e6,
		   (double)(file->released_ns - begun_ns) / 1e6);
	tell_break(file);
	pinreg_loss_tell(file);
	struct pinreg_event event = pinreg_steps_event(file, PINREG_EVENT_FENCED);
	event.held_up_ns = file->released_ns - file->noticed_ns;
	pinreg_events_push(watch->events, &event);
}

static void stop_waiting(struct pinreg_file *file)
{
	struct pinreg_watch *watch = file->watch;
	pthread_mutex_lock(&watch->lock);
	pinreg_watch_ignore_closes(file);
	pthread_mutex_unlock(&watch->lock);
}

void pinreg_steps_lose(struct pinreg_file *file, const struct pinreg_why *why)
{
	stop_waiting(file);
	pinreg_set_lose(&file->regions);
	unseal(file);
	file->watch->device->sys->lease_release(file->prepared.fd);
	pinreg_guard_end(&file->guard, &file->prepared);
	pinreg_guard_close(&file->guard); /* it is nobody's now */
	pinreg_steps_enter(file, PINREG_FILE_LOST);
	struct pinreg_event event = pinreg_steps_event(file, PINREG_EVENT_LOST);
	event.why = *why;
	event.old_size = file->prepared.size;
	event.new_size = file->found_size;
	pinreg_events_push(file->watch->events, &event);
}

void pinreg_steps_later(struct pinreg_file *file, enum pinreg_file_state state)
{
	uint64_t due_ns = now(file->watch) + file->backoff_ns;
	file->backoff_ns = twice(file->backoff_ns);
	enter_until(file, state, due_ns);
}

/* WAITING: has everybody else closed the file? */
static void try_again(struct pinreg_file *file)
{
	struct pinreg_watch *watch = file->watch;
	const struct pinreg_sys *sys = watch->device->sys;
	struct pinreg_why why;
	int status = pinreg_prepared_check_path(&file->prepared);
	bool replaced = status == -ESTALE || status == -ENOENT;
	if (replaced && file->on_replaced == PINREG_REPLACED_GIVE_UP) {
		pinreg_why_set(&why, PINREG_REASON_FILE_REPLACED, -ESTALE);
		pinreg_steps_lose(file, &why);
		return;
	}
	if (status == -ESTALE) {
		/* opening what is there may take long: that is for the returner */
		file->follows = true;
		pinreg_steps_enter(file, PINREG_FILE_REVALIDATE);
		return;
	}
	if (status) {
		pinreg_steps_later(file, PINREG_FILE_WAITING); /* nobody can say what is there */
		return;
	}
	status = sys->lease_take(file->prepared.fd, watch->signals.signal, watch->thread_id);
	if (status == -EACCES || status == -EINVAL) {
		pinreg_why_call(&why, PINREG_REASON_FILE_SYSTEM_CALL, "F_SETLEASE", status);
		pinreg_steps_lose(file, &why);
	} else if (status) {
		pinreg_steps_later(file, PINREG_FILE_WAITING); /* in use, or a want that may pass */
	} else {
		pinreg_tenure_begin(&file->tenure, sys, file->prepared.fd, &file->give_up);
		pinreg_steps_enter(file, PINREG_FILE_REVALIDATE);
	}
}

/* Take the step that the file's state asks for, without the lock. */
static void take_step(struct pinreg_file *file)
{
	enum pinreg_file_state state = file->state;
	/* inotify tells of a close before the kernel has ended it: the next tries come soon */
	if (state != PINREG_FILE_BREAKING && file->nudged)
		file->backoff_ns = PINREG_BACKOFF_FIRST;
	file->nudged = false;
	file->broken = false;
	pinreg_watch_begin_work(file);
	if (state == PINREG_FILE_HELD)
		look_at_held(file);
	else if (state == PINREG_FILE_BREAKING)
		fence(file);
	else if (state == PINREG_FILE_WAITING)
		try_again(file);
	else if (state == PINREG_FILE_SHARED)
		pinreg_shared_look(file);
	pinreg_watch_end_work(file);
}

/* Take a step with the first of a queue. Was there one? */
static bool take_one(struct pinreg_watch *watch, enum pinreg_turn turn)
{
	pinreg_agenda_advance(&watch->agenda, now(watch));
	struct pinreg_file *file = pinreg_agenda_first(&watch->agenda, turn);
	if (!file || watch->state == PINREG_WATCH_STOPPING)
		return false;
	take_step(file);
	return true;
}

void pinreg_steps_all(struct pinreg_watch *watch)
{
	for (unsigned int calm = 0; calm < CALM_AT_ONCE; calm++) {
		while (take_one(watch, PINREG_TURN_URGENT))
			;
		if (!take_one(watch, PINREG_TURN_CALM))
			return;
	}
}
