/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * prepare_cuts.c -- until the power goes: a file on each DAX filesystem is
 * prepared, grown, sealed, unsealed, opened and written, cut short, removed.
 *
 * First it recovers what an earlier run left, and compares it with the model.
 * Each step, also of the library's own, is a line "step N."; the lab cuts the
 * power at one of them. Usage: prepare_cuts SEED STEPS (0: only look).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "domain.h"
#include "file/offline.h"
#include "lab/cuts_model.h"
#include "support/rdma.h"

#define MAX_PAGES 4096u /* 16 MiB: several pieces of zeroing */

static struct cuts_place places[] = {
	{ .directory = "/pmem/ext4/cuts" },
	{ .directory = "/pmem/xfs/cuts" },
};
#define PLACES (sizeof(places) / sizeof(places[0]))

static const struct pinreg_sys *const real = &pinreg_sys_real;
static struct pinreg_sys sys;
static struct pinreg_domain *domain;
static atomic_uint steps;
static unsigned int steps_wanted;

/* A line that the power may be cut at; a moment to do it. */
static void step(void)
{
	printf("step %u.\n", atomic_fetch_add(&steps, 1) + 1);
	usleep(1000);
}

static unsigned int number(unsigned int below)
{
	return (unsigned int)random() % below;
}

/* ---- steps of the library --------------------------------------------------- */

static int step_rename(int dirfd, const char *from, const char *to)
{
	step();
	return real->file_rename(dirfd, from, to);
}

static int step_unlink(int dirfd, const char *path)
{
	step();
	return real->file_unlink(dirfd, path);
}

static int step_sync(int fd)
{
	step();
	return real->file_sync(fd);
}

static int step_allocate(int fd, int mode, uint64_t offset, uint64_t length)
{
	step();
	return real->file_allocate(fd, mode, offset, length);
}

static int step_resize(int fd, uint64_t size)
{
	step();
	return real->file_resize(fd, size);
}

static int step_flags_set(int fd, const struct pinreg_file_flags *flags)
{
	step();
	return real->file_flags_set(fd, flags);
}

static int step_populate(void *addr, uint64_t length, bool write)
{
	step();
	return real->populate(addr, length, write);
}

static int step_lease_release(int fd)
{
	step();
	return real->lease_release(fd);
}

static void hook_library(void)
{
	sys = *real;
	sys.file_rename = step_rename;
	sys.file_unlink = step_unlink;
	sys.file_sync = step_sync;
	sys.file_allocate = step_allocate;
	sys.file_resize = step_resize;
	sys.file_flags_set = step_flags_set;
	sys.populate = step_populate;
	sys.lease_release = step_lease_release;
}

/* ---- the actions ------------------------------------------------------------ */

static void must(const struct cuts_place *place, int status, const struct pinreg_why *why)
{
	if (status)
		cuts_wrong(place, "%s (%d)", why ? rdma_sentence(why) : strerror(-status), status);
}

static void prepare(struct cuts_place *place, bool sealed)
{
	struct pinreg_file_opts opts = {
		.size = sizeof(opts),
		.length = place->intent.after.size,
		.create = 1,
		.seal = sealed ? PINREG_SEAL_IMMUTABLE : PINREG_SEAL_LEASE,
	};
	struct pinreg_why why;
	must(place, pinreg_offline_prepare(&sys, AT_FDCWD, place->file, &opts, &why, NULL), &why);
}

static void open_and_write(struct cuts_place *place)
{
	const struct cuts_intent *intent = &place->intent;
	struct pinreg_file_opts opts = {
		.size = sizeof(opts),
		.length = intent->after.size,
		.create = 1,
		.seal = PINREG_SEAL_IMMUTABLE,
	};
	struct pinreg_file_info info = { .size = sizeof(info) };
	struct pinreg_file *file;
	struct pinreg_why why;
	must(place, pinreg_file_open(domain, AT_FDCWD, place->file, &opts, &why, &file), &why);
	step();
	must(place, pinreg_file_query(file, &info), NULL);
	unsigned char *page = (unsigned char *)info.addr + (size_t)intent->page * CUTS_PAGE;
	for (unsigned int i = 0; i < CUTS_PAGE; i++)
		page[i] = cuts_byte(intent->after.version[intent->page], i);
	must(place, real->sync_mapping(page, CUTS_PAGE), NULL);
	step();
	must(place, pinreg_file_close(file), NULL);
}

static void change_plainly(struct cuts_place *place)
{
	bool removes = place->intent.action == CUTS_REMOVE;
	if (removes ? unlink(place->file) : truncate(place->file, (off_t)place->intent.after.size))
		cuts_wrong(place, "%s", strerror(errno));
	int directory = open(place->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0 || syncfs(directory))
		cuts_wrong(place, "syncfs: %s", strerror(errno));
	close(directory);
}

static void act(struct cuts_place *place)
{
	struct pinreg_why why;
	switch ((enum cuts_action)place->intent.action) {
	case CUTS_PREPARE:
		prepare(place, false);
		break;
	case CUTS_PREPARE_SEALED:
		prepare(place, true);
		break;
	case CUTS_SEAL:
		must(place, pinreg_offline_seal(&sys, AT_FDCWD, place->file, &why), &why);
		break;
	case CUTS_UNSEAL:
		must(place, pinreg_offline_unseal(&sys, AT_FDCWD, place->file, &why), &why);
		break;
	case CUTS_OPEN:
		open_and_write(place);
		break;
	default:
		change_plainly(place);
		break;
	}
}

/* ---- what is to be done next ------------------------------------------------ */

static enum cuts_action choose(const struct cuts_state *now)
{
	static const enum cuts_action any[] = {
		CUTS_PREPARE, CUTS_PREPARE_SEALED, CUTS_PREPARE_SEALED, CUTS_OPEN,
		CUTS_OPEN,    CUTS_SEAL,	   CUTS_SHRINK,		CUTS_REMOVE,
	};
	if (now->exists && now->sealed)
		return CUTS_UNSEAL;
	if (!now->exists)
		return any[number(5)];
	enum cuts_action action = any[number(sizeof(any) / sizeof(any[0]))];
	/* only what is whole pages, and not empty, can be sealed */
	return action == CUTS_SEAL && (!now->size || now->size % CUTS_PAGE) ? CUTS_PREPARE : action;
}

static uint64_t grown(uint64_t size)
{
	uint64_t pages = (size + CUTS_PAGE - 1) / CUTS_PAGE;
	uint64_t more = pages < MAX_PAGES ? number((unsigned int)(MAX_PAGES - pages) + 1) : 0;
	return (pages + more < CUTS_PAGES ? CUTS_PAGES : pages + more) * CUTS_PAGE;
}

/* Behind the pages that are written, the size may be anything. */
static uint64_t cut_short(uint64_t size)
{
	uint64_t pages = number((unsigned int)(size / CUTS_PAGE) + 1);
	return pages * CUTS_PAGE +
	       (pages >= CUTS_PAGES && pages * CUTS_PAGE < size ? number(2) : 0);
}

static void plan(struct cuts_place *place)
{
	struct cuts_intent *intent = &place->intent;
	struct cuts_state *after = &intent->after;
	intent->number++;
	intent->action = choose(&intent->before);
	intent->page = number(CUTS_PAGES);
	*after = intent->before;
	switch ((enum cuts_action)intent->action) {
	case CUTS_OPEN:
	case CUTS_PREPARE:
	case CUTS_PREPARE_SEALED:
		after->exists = 1;
		after->size = grown(after->size);
		after->sealed = intent->action == CUTS_PREPARE_SEALED;
		if (intent->action == CUTS_OPEN)
			after->version[intent->page] = (uint32_t)intent->number;
		break;
	case CUTS_SEAL:
	case CUTS_UNSEAL:
		after->sealed = intent->action == CUTS_SEAL;
		break;
	case CUTS_SHRINK:
		after->size = cut_short(after->size);
		for (unsigned int i = 0; i < CUTS_PAGES; i++)
			if (i >= after->size / CUTS_PAGE)
				after->version[i] = 0;
		break;
	default:
		memset(after, 0, sizeof(*after));
		break;
	}
}

static void turn(struct cuts_place *place)
{
	plan(place);
	cuts_note_flags(place);
	cuts_save(place);
	step();
	act(place);
	/* without a cut it is what it was to be, or the model is wrong */
	struct cuts_state wanted = place->intent.after;
	cuts_check(place);
	if (memcmp(&place->intent.before, &wanted, sizeof(wanted)))
		cuts_wrong(place, "it was not done");
}

/* ---- after a cut ------------------------------------------------------------ */

static void recover(struct cuts_place *place)
{
	struct pinreg_recovery_report report = { .size = sizeof(report) };
	struct pinreg_why why;
	cuts_load(place);
	int status = pinreg_file_recover(AT_FDCWD, place->file, &why, &report);
	if (status != -ENOENT)
		must(place, status, &why);
	cuts_check(place);
	printf("checked %s: number %lu, %s: %s, %lu bytes%s\n", place->file,
	       (unsigned long)place->intent.number, cuts_action_name(place->intent.action),
	       status ? "no file" : pinreg_recovery_name(report.recovery),
	       (unsigned long)place->intent.before.size,
	       place->intent.before.sealed ? ", sealed" : "");
	/* what is true now is the model, should the power go before the next turn */
	place->intent.after = place->intent.before;
	cuts_note_flags(place);
	cuts_save(place);
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: prepare_cuts SEED STEPS\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	srandom((unsigned int)strtoul(argv[1], NULL, 10));
	steps_wanted = (unsigned int)strtoul(argv[2], NULL, 10);
	for (size_t i = 0; i < PLACES; i++)
		recover(&places[i]);
	if (!steps_wanted)
		return 0;
	hook_library();
	if (pinreg_domain_open_with(&sys, rdma_pd(), NULL, &domain))
		cuts_wrong(&places[0], "there is no domain");
	while (atomic_load(&steps) < steps_wanted)
		for (size_t i = 0; i < PLACES; i++)
			turn(&places[i]);
	return 0;
}
