/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * file.c -- the public handle of a leased file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/opts.h"
#include "base/why.h"
#include "file/options.h"
#include "file/recover.h"
#include "region/region.h"
#include "watch/caller.h"
#include "watch/file.h"

/* From here on the watcher takes it through its states, unless it was taken. */
static int become_held(struct pinreg_file *file, struct pinreg_why *why)
{
	pthread_mutex_lock(&file->watch->lock);
	/* a break after this look has its signal noted, and the watcher asks again */
	int status = pinreg_tenure_check(&file->tenure, why);
	if (!status) {
		/* before it is published: the next one to prepare it may be the returner */
		pinreg_prepared_keep(&file->prepared);
		pinreg_watch_publish(file);
	}
	pthread_mutex_unlock(&file->watch->lock);
	if (status)
		return status;
	if (file->guard.seal == PINREG_SEAL_NONE)
		file->watch->device->sys->lease_release(file->prepared.fd);
	pinreg_watch_wake(file->watch);
	return 0;
}

static int prepare_leased(struct pinreg_file *file, struct pinreg_why *why)
{
	struct pinreg_prepared *prepared = &file->prepared;
	pinreg_tenure_begin(&file->tenure, file->watch->device->sys, prepared->fd, &file->give_up);
	int status = pinreg_guard_begin(&file->guard, prepared, why);
	if (!status)
		status = pinreg_prepared_prepare(prepared, &file->tenure, why);
	if (!status)
		status = pinreg_guard_settle(&file->guard, prepared, why);
	if (!status)
		status = pinreg_guard_seal(&file->guard, prepared, why);
	if (!status)
		status = become_held(file, why);
	if (status) {
		pinreg_guard_end(&file->guard, prepared);
		pinreg_prepared_undo(prepared, &file->tenure);
	}
	return status;
}

/* The lease comes before any change: it proves that nobody else has the file. */
static int lease_and_prepare(struct pinreg_file *file, struct pinreg_why *why)
{
	struct pinreg_watch *watch = file->watch;
	const struct pinreg_sys *sys = watch->device->sys;
	int status = pinreg_watch_add(watch, file, why);
	if (status)
		return status;
	status = sys->lease_take(file->prepared.fd, watch->signals.signal, watch->thread_id);
	if (status)
		status = pinreg_tenure_refused(status, why);
	else
		status = prepare_leased(file, why);
	if (status) {
		pinreg_watch_remove(watch, file);
		sys->lease_release(file->prepared.fd);
	}
	return status;
}

/* The fence may go on. */
static void somebody_left(struct pinreg_file *file)
{
	struct pinreg_watch *watch = file->watch;
	pthread_mutex_lock(&watch->lock);
	pinreg_watch_sort(file);
	pthread_mutex_unlock(&watch->lock);
	pinreg_watch_wake(watch);
}

static int open_file(struct pinreg_file *file, int dirfd, const char *path,
		     const struct pinreg_file_opts *opts, struct pinreg_why *why)
{
	struct pinreg_device *device = file->watch->device;
	int status = pinreg_recover_first(device->sys, dirfd, path, why);
	if (!status)
		status = pinreg_prepared_open(&file->prepared, device, dirfd, path, opts, why);
	if (status)
		return status;
	status = pinreg_guard_open(&file->guard, &file->prepared, opts->seal, why);
	if (status) {
		pinreg_prepared_close(&file->prepared);
		return status;
	}
	pinreg_set_init(&file->regions, somebody_left, file);
	status = pinreg_guard_reopen(&file->guard, &file->prepared, why);
	if (!status)
		status = lease_and_prepare(file, why);
	if (status) {
		pinreg_set_destroy(&file->regions);
		pinreg_prepared_close(&file->prepared);
		pinreg_guard_close(&file->guard); /* last: what it tells of is undone */
	}
	return status;
}

int pinreg_leased_open(struct pinreg_watch *watch, int dirfd, const char *path,
		       const struct pinreg_file_opts *opts, struct pinreg_why *why,
		       struct pinreg_file **out)
{
	struct pinreg_why unheard;
	if (!why)
		why = &unheard;
	pinreg_why_set(why, PINREG_REASON_NONE, 0);
	if (!path || !out)
		return pinreg_why_set(why, PINREG_REASON_BAD_OPTION, -EINVAL);
	struct pinreg_file_opts known;
	int status = pinreg_file_options(opts, &known, why);
	if (status)
		return status;
	struct pinreg_file *file = calloc(1, sizeof(*file));
	if (!file)
		return pinreg_why_call(why, PINREG_REASON_FILE_SYSTEM_CALL, "calloc", -ENOMEM);
	file->watch = watch;
	file->on_shrink = known.on_shrink;
	file->on_replaced = known.on_replaced;
	file->on_reader = known.on_reader;
	status = open_file(file, dirfd, path, &known, why);
	if (status) {
		free(file);
		return status;
	}
	*out = file;
	return 0;
}

/*
 * Was it away since? Then a plan, or a refusal, may have been made for nobody's
 * memory. generation: from before the plan.
 */
static bool was_away(struct pinreg_file *file, uint64_t generation, bool registered)
{
	if (pinreg_set_generation(&file->regions) != generation)
		return true;
	/* it was linked while the file was there, and that is the same while still */
	if (registered)
		return false;
	if (pinreg_set_enter_to_add(&file->regions))
		return true;
	pinreg_set_leave(&file->regions);
	return false;
}

int pinreg_file_register(struct pinreg_file *file, uint64_t offset, uint64_t length,
			 const struct pinreg_region_opts *opts, struct pinreg_why *why,
			 struct pinreg_region **out)
{
	if (!file || !out)
		return pinreg_why_set(why, PINREG_REASON_BAD_OPTION, -EINVAL);
	if (pinreg_device_inherited(file->watch->device))
		return pinreg_why_set(why, PINREG_REASON_FORKED, -EPERM);
	struct pinreg_prepared *prepared = &file->prepared;
	struct pinreg_region_opts known;
	pthread_mutex_lock(&file->watch->lock);
	uint64_t served = file->length;
	pthread_mutex_unlock(&file->watch->lock);
	if (offset >= served || length > served - offset) {
		pinreg_why_set(why, PINREG_REASON_BAD_RANGE, -EINVAL);
		if (why) {
			why->addr = offset;
			why->length = length;
		}
		return -EINVAL;
	}
	/* a window would keep the region from being fenced */
	if (pinreg_opts_read(opts, &known, sizeof(known)) || known.access & IBV_ACCESS_MW_BIND)
		return pinreg_why_set(why, PINREG_REASON_BAD_OPTION, -EINVAL);
	int status = pinreg_set_enter_to_add(&file->regions);
	if (status)
		return pinreg_why_set(why, PINREG_REASON_FENCED, status);
	uint64_t generation = pinreg_set_generation(&file->regions);
	pinreg_set_leave(&file->regions);
	struct pinreg_region_place place = {
		.device = file->watch->device,
		.set = &file->regions,
		.persist = prepared->persist,
		.st_dev = prepared->st_dev,
	};
	pinreg_prepared_test_odp(prepared);
	struct pinreg_region *region = NULL;
	status = pinreg_region_make(&place, (char *)prepared->addr + offset,
				    length ? length : served - offset, opts, why, &region);
	if (was_away(file, generation, !status) && !pinreg_region_deregister(region))
		return pinreg_why_set(why, PINREG_REASON_FENCED, -EAGAIN);
	if (!status)
		*out = region;
	return status;
}

int pinreg_file_ack(struct pinreg_file *file, uint64_t generation)
{
	if (!file)
		return -EINVAL;
	if (pinreg_device_inherited(file->watch->device))
		return -EPERM;
	pthread_mutex_lock(&file->watch->lock);
	bool wake = file->state == PINREG_FILE_BREAKING &&
		    generation == pinreg_set_generation(&file->regions);
	if (wake) {
		file->acked = true;
		pinreg_watch_sort(file);
	}
	pthread_mutex_unlock(&file->watch->lock);
	if (wake)
		pinreg_watch_wake(file->watch);
	return 0;
}

int pinreg_file_query(struct pinreg_file *file, struct pinreg_file_info *out)
{
	if (!file || pinreg_info_check(out, offsetof(struct pinreg_file_info, dax)))
		return -EINVAL;
	if (pinreg_device_inherited(file->watch->device))
		return -EPERM;
	const struct pinreg_prepared *prepared = &file->prepared;
	struct pinreg_file_info info = {
		.addr = prepared->addr,
		.dax = prepared->dax,
		.map_sync = prepared->map_sync,
		.device = prepared->st_dev,
	};
	pthread_mutex_lock(&file->watch->lock);
	info.state = file->state;
	info.zeroed = file->zeroed;
	info.extents = file->extents;
	info.inode = file->inode;
	info.length = file->length;
	/* under the lock: whoever sees HELD sees the generation that came with it */
	info.generation = pinreg_set_generation(&file->regions);
	pthread_mutex_unlock(&file->watch->lock);
	pinreg_info_write(out, &info, sizeof(info));
	return 0;
}

int pinreg_file_close(struct pinreg_file *file)
{
	if (!file)
		return 0;
	if (pinreg_device_inherited(file->watch->device))
		return -EPERM;
	if (pinreg_set_count(&file->regions))
		return -EBUSY;
	struct pinreg_watch *watch = file->watch;
	pinreg_watch_remove(watch, file);
	pinreg_events_drop(watch->events, file, pinreg_caller_inside(watch->events));
	pinreg_guard_end(&file->guard, &file->prepared);
	watch->device->sys->lease_release(file->prepared.fd);
	pinreg_prepared_close(&file->prepared);
	pinreg_guard_close(&file->guard);
	pinreg_set_destroy(&file->regions);
	free(file);
	return 0;
}

const char *pinreg_file_state_name(enum pinreg_file_state state)
{
	static const char *const words[] = { "preparing",  "held", "breaking", "waiting",
					     "revalidate", "lost", "shared" };
	return state <= PINREG_FILE_SHARED ? words[state] : "?";
}
