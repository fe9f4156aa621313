/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * files.c -- the files of a server: opened, loaded, recovered, and what happens to them.
 */
#include "files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "say.h"

static struct served *served_of(struct files *files, const struct pinreg_file *file)
{
	for (unsigned int i = 0; i < files->shelf.count; i++) {
		if (files->served[i].store->pmem.file == file)
			return &files->served[i];
	}
	return NULL; /* of a file that could not be opened to the end */
}

/* ---- loading, recovery, and when clients are let in --------------------------- */

static int load(struct files *files)
{
	return recovery_start(&files->loading, recovery_of_shelf, &files->shelf, files->wake_fd);
}

static int recover(struct files *files, struct served *served)
{
	return recovery_start(&served->recovery, recovery_of_store, served->store, files->wake_fd);
}

static bool may_work_on(const struct served *served)
{
	return pmem_look(&served->store->pmem).gate != PMEM_SHUT;
}

/* When every file was whole, that is noted in each; when that is done, clients come. */
static void advance(struct files *files)
{
	bool all_marked = true;

	for (unsigned int i = 0; i < files->shelf.count; i++) {
		if (!files->served[i].recovered)
			return;
	}
	for (unsigned int i = 0; i < files->shelf.count; i++) {
		struct served *served = &files->served[i];

		if (served->store->marked)
			continue;
		all_marked = false;
		if (may_work_on(served) && recovery_start(&served->recovery, recovery_marks,
							  served->store, files->wake_fd) != 0)
			files->failed = true;
	}
	if (all_marked)
		files->ready = true;
}

static void handle_loading(struct files *files)
{
	bool all_there = true;
	int ret;

	if (!recovery_ended(&files->loading, &ret))
		return;
	for (unsigned int i = 0; i < files->shelf.count; i++)
		all_there = all_there && may_work_on(&files->served[i]);
	if (ret && ret != -EAGAIN) {
		complain("%s", files->loading.found.problem);
		files->failed = true;
	} else if (ret && all_there && load(files) != 0) {
		files->failed = true;
	}
	for (unsigned int i = 0; ret == 0 && i < files->shelf.count; i++) {
		if (may_work_on(&files->served[i]) && recover(files, &files->served[i]) != 0)
			files->failed = true;
	}
}

/* Now it is right, and clients may have its keys. Not where it is away again: then the
 * revocation must be the last that they hear. */
static void serve_again(struct files *files, struct served *served)
{
	say("%sserving again", served->label);
	if (pmem_look(&served->store->pmem).gate != PMEM_SERVING)
		return;
	sessions_tell(files->sessions, &served->restored);
	sessions_serve(files->sessions, (unsigned int)(served - files->served));
}

static void handle_recovery(struct files *files, struct served *served)
{
	struct recovery *found = &served->recovery.found;
	int ret;

	if (!recovery_ended(&served->recovery, &ret))
		return;
	if (ret == -EAGAIN) { /* or it goes on when the file is back */
		if (may_work_on(served) && recover(files, served) != 0)
			files->failed = true;
	} else if (ret) {
		complain("%s", found->problem);
		files->failed = true;
	} else if (served->recovery.job == recovery_of_store) {
		recovery_print(found, served->label);
		if (files->ready)
			serve_again(files, served);
		served->recovered = true;
	}
	if (ret == 0 && !files->ready)
		advance(files);
}

/* ---- the files' events -------------------------------------------------------- */

static void on_restored(struct files *files, struct served *served,
			const struct pinreg_event *event)
{
	int ret = served_on_restored(served, event);

	if (ret == 0)
		ret = files->shelf.united ? recover(files, served) : load(files);
	if (ret && ret != -EAGAIN) { /* away again: another event will come */
		complain("%s came back without keys: %s", served->store->path, strerror(-ret));
		files->failed = true;
	}
}

void files_on_event(struct files *files, const struct pinreg_event *event)
{
	struct served *served = served_of(files, event->file);

	if (event->missed)
		say("(%u events were dropped)", event->missed);
	if (!served)
		return;
	switch (event->type) {
	case PINREG_EVENT_BREAK:
		served_on_break(served, event, files->sessions);
		break;
	case PINREG_EVENT_FENCED:
		sessions_tell(files->sessions, event);
		served_on_fenced(served, event);
		break;
	case PINREG_EVENT_RESTORED:
		on_restored(files, served, event);
		break;
	case PINREG_EVENT_LOST:
		sessions_tell(files->sessions, event);
		served_on_lost(served, event);
		files->failed = true;
		break;
	case PINREG_EVENT_LEASE_LOST:
		sessions_tell(files->sessions, event);
		served_on_lease_lost(served, event);
		break;
	case PINREG_EVENT_DEVICE: /* neither was asked for */
	case PINREG_EVENT_ADMITTED:
		break;
	}
}

void files_on_wake(struct files *files)
{
	struct store *failed = shelf_failed(&files->shelf);

	handle_loading(files);
	for (unsigned int i = 0; i < files->shelf.count; i++)
		handle_recovery(files, &files->served[i]);
	if (failed) {
		complain("%s or its mirror cannot be made durable: %s", failed->path,
			 strerror(-store_failed(failed)));
		files->failed = true;
	}
}

/* ---- from the start to the end ------------------------------------------------- */

/* A path of ours must not lead to one of the files: to open it would break our lease. */
static const char *file_behind(const struct files *files, const char *path)
{
	struct stat now;

	if (stat(path, &now) != 0)
		return NULL;
	for (unsigned int i = 0; i < files->shelf.count; i++) {
		const struct served *served = &files->served[i];

		if (served->open && served->identity.st_dev == now.st_dev &&
		    served->identity.st_ino == now.st_ino)
			return served->store->path;
	}
	return NULL;
}

static int see_that_mirrors_are_apart(const struct files *files)
{
	for (unsigned int i = 0; i < files->shelf.count; i++) {
		const struct store *store = files->served[i].store;
		const char *const paths[] = { store->mirror_path, store->other_path };

		for (unsigned int j = 0; j < 2; j++) {
			const char *same = file_behind(files, paths[j]);

			if (!same)
				continue;
			complain("%s is no place for what follows %s: it is the served file %s",
				 paths[j], store->path, same);
			return 1;
		}
	}
	return 0;
}

static int open_one(struct files *files, struct served *served, struct pinreg_domain *domain,
		    uint64_t size)
{
	const char *path = served->store->path;
	const char *same = file_behind(files, path);

	if (!same)
		return served_open(served, domain, size, files->options->granularity);
	complain("%s and %s are one file", same, path);
	return EXIT_REFUSED;
}

/* FILE may have any size when somebody changed it while no server ran. */
int files_open(struct files *files, struct pinreg_domain *domain)
{
	const struct serve_options *options = files->options;
	uint64_t sizes[SERVE_FILES];
	int status = 0;

	/* all of them before the first file is ours: a mirror's path may be a mistake */
	for (unsigned int i = 0; i < options->count; i++)
		sizes[i] =
			options->size ? options->size : mirror_size(options->files[i].mirror_path);
	for (unsigned int i = 0; status == 0 && i < options->count; i++)
		status = open_one(files, &files->served[i], domain, sizes[i]);
	if (status == 0)
		status = see_that_mirrors_are_apart(files);
	if (status == 0 && load(files) != 0)
		status = 1;
	return status;
}

unsigned int files_needed_mtu(const struct files *files)
{
	unsigned int mtu = 0;

	/* where two need one it is the same: that of the device's test */
	for (unsigned int i = 0; i < files->shelf.count; i++)
		mtu = mtu ? mtu : files->shelf.stores[i].pmem.needed_mtu;
	return mtu;
}

void files_init(struct files *files, const struct serve_options *options, struct sessions *sessions,
		int wake_fd)
{
	*files = (struct files){ .options = options, .sessions = sessions, .wake_fd = wake_fd };
	shelf_init(&files->shelf, options);
	for (unsigned int i = 0; i < options->count; i++) {
		struct served *served = &files->served[i];

		served->store = &files->shelf.stores[i];
		if (options->count > 1)
			snprintf(served->label, sizeof(served->label),
				 "%s: ", options->files[i].path);
	}
}

void files_close(struct files *files)
{
	for (unsigned int i = 0; i < files->shelf.count; i++) {
		if (files->served[i].open)
			pmem_shut(&files->served[i].store->pmem);
	}
	recovery_stop(&files->loading);
	for (unsigned int i = 0; i < files->shelf.count; i++) {
		recovery_stop(&files->served[i].recovery);
		served_close(&files->served[i], !files->shelf.united);
	}
	shelf_close(&files->shelf);
}
