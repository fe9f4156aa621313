/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watch.c -- the files that are watched.
 */
#include "watch/watch.h"

#include "base/why.h"

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

int pinreg_watch_add(struct pinreg_watch *watch, struct pinreg_file *file, struct pinreg_why *why)
{
	pthread_mutex_lock(&watch->lock);
	int status = pinreg_watch_be_running(watch, why);
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
