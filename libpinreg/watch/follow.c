/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * follow.c -- the path leads to another inode: that becomes the file.
 */
#include <errno.h>

#include "base/why.h"
#include "file/replaced.h"
#include "watch/steps.h"

/* Could it be otherwise in a moment, without anybody caring for it? */
static bool may_pass(int status)
{
	switch (status) {
	case -ENOENT:
	case -ENOTDIR:
	case -EBUSY:  /* in use, or its owner is alive */
	case -ESTALE: /* replaced once more */
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
		return true;
	default:
		return false;
	}
}

/* Nothing of the library's is left on the old one, then the new one has its place. */
static int take_place(struct pinreg_file *file, int fd, const struct pinreg_file_look *look,
		      struct pinreg_why *why)
{
	struct pinreg_prepared *prepared = &file->prepared;
	enum pinreg_seal seal = file->guard.seal;
	pinreg_guard_end(&file->guard, prepared);
	pinreg_guard_close(&file->guard);
	int status = pinreg_replaced_take(prepared, fd, look);
	if (status)
		return pinreg_why_call(why, PINREG_REASON_FILE_SYSTEM_CALL, "dup3", status);
	return pinreg_guard_open(&file->guard, prepared, seal, why);
}

static void hear_of_it(struct pinreg_file *file)
{
	pthread_mutex_lock(&file->watch->lock);
	pinreg_watch_ignore_closes(file);
	pinreg_watch_hear_closes(file);
	pthread_mutex_unlock(&file->watch->lock);
}

void pinreg_follow(struct pinreg_file *file)
{
	struct pinreg_file_look look;
	struct pinreg_why why = { 0 };
	file->follows = false;
	int fd = pinreg_replaced_open(&file->prepared, &look, &why);
	if (fd < 0) {
		if (may_pass(fd))
			pinreg_steps_later(file, PINREG_FILE_WAITING);
		else
			pinreg_steps_lose(file, &why);
		return;
	}
	if (take_place(file, fd, &look, &why)) {
		pinreg_steps_lose(file, &why);
		return;
	}
	pinreg_log(&file->watch->device->log, PINREG_LOG_INFO,
		   "%s: another file is there now, and is followed", file->prepared.path);
	file->replaced = true;
	/* what was zeroed in the old one is nothing to the owner */
	file->lost_bytes = 0;
	file->lost_offset = 0;
	hear_of_it(file);
	file->backoff_ns = PINREG_BACKOFF_FIRST;
	pinreg_steps_later(file, PINREG_FILE_WAITING);
}
