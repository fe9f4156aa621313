/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * return.c -- taking a file back: is it what it was, or can it be made so?
 */
#include <errno.h>

#include "base/why.h"
#include "watch/steps.h"

/* Returns in a row that end because somebody waits. */
#define GIVEN_UP_AT_MOST 4

/* What this preparation zeroed adds to what interrupted ones did. */
static void count_lost(struct pinreg_file *file)
{
	const struct pinreg_prepared *prepared = &file->prepared;
	if (prepared->zeroed && (!file->lost_bytes || prepared->zeroed_offset < file->lost_offset))
		file->lost_offset = prepared->zeroed_offset;
	file->lost_bytes += prepared->zeroed;
	file->prepared.zeroed = 0;
}

static int too_short(struct pinreg_file *file, struct pinreg_why *why)
{
	pinreg_why_set(why, PINREG_REASON_FILE_SHRUNK, -ESTALE);
	why->used = file->found_size;
	why->wanted = file->prepared.reserved;
	return -ESTALE;
}

/* Whole pages of what there is, but no more than there are addresses for. */
static int follow_size(struct pinreg_file *file, struct pinreg_why *why)
{
	struct pinreg_prepared *prepared = &file->prepared;
	uint64_t length = file->found_size - file->found_size % prepared->device->sys->page_size();
	if (!length)
		return too_short(file, why);
	prepared->length = length < prepared->reserved ? length : prepared->reserved;
	pinreg_set_limit(&file->regions, (uintptr_t)prepared->addr + prepared->length);
	return 0;
}

static int look_at_size(struct pinreg_file *file, struct pinreg_why *why)
{
	struct pinreg_file_look look;
	int status = file->watch->device->sys->file_look(file->prepared.fd, &look);
	if (status)
		return pinreg_why_call(why, PINREG_REASON_FILE_SYSTEM_CALL, "statx", status);
	file->found_size = look.size;
	if (file->on_shrink == PINREG_SHRINK_FOLLOW)
		return follow_size(file, why);
	if (look.size < file->prepared.length && file->on_shrink == PINREG_SHRINK_GIVE_UP)
		return too_short(file, why);
	return 0;
}

static int tenure_asked(void *tenure, struct pinreg_why *why)
{
	return pinreg_tenure_check(tenure, why);
}

/* Nobody knows a key before the set is opened, and that is the last thing. */
static int register_again(struct pinreg_file *file, struct pinreg_why *why)
{
	struct pinreg_stop stop = { .asked = tenure_asked, .context = &file->tenure };
	int status;
	do {
		status = pinreg_set_restore_one(&file->regions, &stop, why);
		int taken = status < 0 ? 0 : pinreg_tenure_check(&file->tenure, why);
		if (taken)
			return taken;
	} while (status > 0);
	return status;
}

/*
 * Whatever comes of it, the record must not say afterwards that the size is to be
 * undone: others will be let in, who may write.
 */
static int prepare_again(struct pinreg_file *file, struct pinreg_why *why)
{
	struct pinreg_why unheard;
	int status = pinreg_guard_begin(&file->guard, &file->prepared, why);
	if (!status)
		status = pinreg_prepared_prepare(&file->prepared, &file->tenure, why);
	count_lost(file);
	if (status && why->reason != PINREG_REASON_FILE_TAKEN)
		pinreg_prepared_undo(&file->prepared, &file->tenure);
	pinreg_prepared_keep(&file->prepared);
	int settled = pinreg_guard_settle(&file->guard, &file->prepared, status ? &unheard : why);
	return status ? status : settled;
}

static int revalidate(struct pinreg_file *file, struct pinreg_why *why)
{
	int status = look_at_size(file, why);
	if (status)
		return status;
	uint64_t size_before = file->prepared.size;
	status = prepare_again(file, why);
	if (!status)
		status = register_again(file, why);
	if (!status)
		status = pinreg_guard_seal(&file->guard, &file->prepared, why);
	if (!status)
		status = pinreg_tenure_check(&file->tenure, why);
	if (status)
		file->prepared.size = size_before; /* what the owner knows of */
	return status;
}

/*
 * Somebody who opens the file again and again, each time before it was back, would
 * keep us away for ever. So some returns are given up for him, and the next one is
 * finished first: he waits for that once, and then for an ordinary fence.
 */
static void insist(struct pinreg_file *file)
{
	file->tenure.insist = file->given_up >= GIVEN_UP_AT_MOST;
	if (file->tenure.insist)
		pinreg_log(&file->watch->device->log, PINREG_LOG_INFO,
			   "%s: %u returns were given up, this one is finished whoever waits",
			   file->prepared.path, file->given_up);
}

/* It did not work. The watcher fences what was registered, and lets go. */
static void hand_back(struct pinreg_file *file, const struct pinreg_why *why)
{
	file->owner_knows = false;
	file->given_up++;
	file->lose = why->reason != PINREG_REASON_FILE_TAKEN;
	file->lost_why = *why;
	pthread_mutex_lock(&file->watch->lock);
	file->state = PINREG_FILE_BREAKING;
	file->due_ns = 0;
	pthread_mutex_unlock(&file->watch->lock);
}

void pinreg_return(struct pinreg_file *file)
{
	struct pinreg_watch *watch = file->watch;
	struct pinreg_why why = { 0 };
	uint64_t old_size = file->prepared.size;
	if (file->follows) {
		pinreg_follow(file);
		return;
	}
	insist(file);
	if (revalidate(file, &why)) {
		hand_back(file, &why);
		return;
	}
	file->given_up = 0;
	pinreg_set_open(&file->regions);
	pthread_mutex_lock(&watch->lock);
	pinreg_watch_hold(file);
	file->zeroed = file->lost_bytes;
	pthread_mutex_unlock(&watch->lock);

	struct pinreg_event event = pinreg_steps_event(file, PINREG_EVENT_RESTORED);
	event.away_ns = watch->device->sys->now_ns() - file->released_ns;
	event.old_size = old_size;
	event.new_size = file->found_size;
	event.zeroed = file->lost_bytes;
	event.zeroed_offset = file->lost_offset;
	event.length = file->prepared.length;
	event.replaced = file->replaced;
	file->replaced = false;
	file->lost_bytes = 0;
	file->lost_offset = 0;
	pinreg_events_push(watch->events, &event);
}
