/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cuts_model.c -- what a file must be after a power cut, kept beside it.
 */
#include "lab/cuts_model.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

void cuts_wrong(const struct cuts_place *place, const char *format, ...)
{
	va_list args;
	printf("WRONG: %s, number %lu, %s: ", place->file, (unsigned long)place->intent.number,
	       cuts_action_name(place->intent.action));
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	exit(1);
}

const char *cuts_action_name(enum cuts_action action)
{
	static const char *const names[] = {
		"prepare", "prepare-sealed", "seal", "unseal", "open", "shrink", "remove",
	};
	return action < CUTS_ACTIONS ? names[action] : "?";
}

unsigned char cuts_byte(uint32_t version, unsigned int offset)
{
	return version ? (unsigned char)((version * 2654435761u + offset * 40503u) >> 7) : 0;
}

/* ---- the intent ------------------------------------------------------------- */

void cuts_load(struct cuts_place *place)
{
	char path[128];
	snprintf(place->file, sizeof(place->file), "%s/file", place->directory);
	snprintf(path, sizeof(path), "%s/model", place->directory);
	memset(&place->intent, 0, sizeof(place->intent));
	if (mkdir(place->directory, 0700) && errno != EEXIST)
		cuts_wrong(place, "mkdir: %s", strerror(errno));
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return;
	if (fd < 0 ||
	    read(fd, &place->intent, sizeof(place->intent)) != (ssize_t)sizeof(place->intent))
		cuts_wrong(place, "its model cannot be read");
	close(fd);
}

void cuts_save(const struct cuts_place *place)
{
	char path[128], fresh[128];
	snprintf(path, sizeof(path), "%s/model", place->directory);
	snprintf(fresh, sizeof(fresh), "%s/model-new", place->directory);
	int directory = open(place->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (directory < 0 || fd < 0 ||
	    write(fd, &place->intent, sizeof(place->intent)) != (ssize_t)sizeof(place->intent) ||
	    fsync(fd) || rename(fresh, path) || fsync(directory))
		cuts_wrong(place, "its model cannot be written: %s", strerror(errno));
	close(fd);
	close(directory);
}

static void flags_now(const struct cuts_place *place, struct fsxattr *flags)
{
	memset(flags, 0, sizeof(*flags));
	int fd = open(place->file, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return;
	if (fd < 0 || ioctl(fd, FS_IOC_FSGETXATTR, flags))
		cuts_wrong(place, "its flags cannot be read: %s", strerror(errno));
	close(fd);
}

void cuts_note_flags(struct cuts_place *place)
{
	struct fsxattr flags;
	flags_now(place, &flags);
	place->intent.xflags = flags.fsx_xflags;
	place->intent.extsize = flags.fsx_extsize;
}

/* ---- what is there ---------------------------------------------------------- */

static unsigned int count_records(const struct cuts_place *place)
{
	const struct dirent *entry;
	unsigned int records = 0;
	DIR *directory = opendir(place->directory);
	if (!directory)
		cuts_wrong(place, "opendir: %s", strerror(errno));
	/* .new: one that was being written, and counts for nothing */
	while ((entry = readdir(directory)))
		records += !strncmp(entry->d_name, ".pinreg-", 8) && !strstr(entry->d_name, ".new");
	closedir(directory);
	return records;
}

/* May a file of this size be there? Which of the two it is like, in *like. */
static bool is_like(const struct cuts_intent *intent, const struct stat *now, bool sealed,
		    const struct cuts_state **like)
{
	const struct cuts_state *before = &intent->before, *after = &intent->after;
	uint64_t size = (uint64_t)now->st_size;
	if (after->exists && size == after->size) {
		*like = after;
		/* prepared, and not sealed yet */
		return sealed == after->sealed || sealed == before->sealed;
	}
	*like = before;
	if (before->exists && size == before->size)
		return sealed == before->sealed;
	/* dead between the creation of the file and its record */
	return !before->exists && after->exists && !size && !sealed;
}

static void check_flags(const struct cuts_place *place, const struct cuts_state *like)
{
	const struct cuts_intent *intent = &place->intent;
	uint32_t may_change = FS_XFLAG_IMMUTABLE;
	struct fsxattr flags;
	flags_now(place, &flags);
	/* a preparation that was not undone may have given the file a hint */
	if (like == &intent->after || !intent->before.exists)
		may_change |= FS_XFLAG_EXTSIZE | FS_XFLAG_DAX | FS_XFLAG_HASATTR;
	if ((flags.fsx_xflags ^ intent->xflags) & ~may_change && intent->before.exists)
		cuts_wrong(place, "flags 0x%x, they were 0x%x", flags.fsx_xflags, intent->xflags);
	if (like == &intent->before && intent->before.exists &&
	    flags.fsx_extsize != intent->extsize)
		cuts_wrong(place, "a hint of %u, it was %u", flags.fsx_extsize, intent->extsize);
}

/* A page in whose writing the power went may hold some of both. */
static void check_byte(const struct cuts_place *place, uint64_t at, unsigned char byte)
{
	const struct cuts_intent *intent = &place->intent;
	uint64_t page = at / CUTS_PAGE;
	unsigned int offset = at % CUTS_PAGE;
	uint32_t old = page < CUTS_PAGES ? intent->before.version[page] : 0;
	uint32_t new = page < CUTS_PAGES ? intent->after.version[page] : 0;
	if (byte != cuts_byte(old, offset) && byte != cuts_byte(new, offset))
		cuts_wrong(place, "byte %lu is 0x%02x, not 0x%02x", (unsigned long)at, byte,
			   cuts_byte(old, offset));
}

static void check_bytes(const struct cuts_place *place, uint64_t size)
{
	static const unsigned char zeros[65536];
	static unsigned char bytes[65536];
	uint64_t at = 0;
	int fd = open(place->file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		cuts_wrong(place, "open: %s", strerror(errno));
	while (at < size) {
		ssize_t got = pread(fd, bytes, sizeof(bytes), (off_t)at);
		if (got <= 0)
			cuts_wrong(place, "byte %lu cannot be read", (unsigned long)at);
		if (at < CUTS_PAGES * CUTS_PAGE || memcmp(bytes, zeros, (size_t)got))
			for (ssize_t i = 0; i < got; i++)
				check_byte(place, at + (uint64_t)i, bytes[i]);
		at += (uint64_t)got;
	}
	close(fd);
}

/* What was torn is written again, so that the model knows it. */
static void settle_page(struct cuts_place *place, const struct cuts_state *like)
{
	unsigned char bytes[CUTS_PAGE];
	uint32_t page = place->intent.page;
	if (place->intent.action != CUTS_OPEN || (page + 1) * CUTS_PAGE > like->size)
		return;
	for (unsigned int i = 0; i < CUTS_PAGE; i++)
		bytes[i] = cuts_byte(like->version[page], i);
	int fd = open(place->file, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || pwrite(fd, bytes, sizeof(bytes), (off_t)page * CUTS_PAGE) != sizeof(bytes) ||
	    fsync(fd))
		cuts_wrong(place, "page %u cannot be written: %s", page, strerror(errno));
	close(fd);
}

void cuts_check(struct cuts_place *place)
{
	struct cuts_intent *intent = &place->intent;
	const struct cuts_state *like = NULL;
	struct fsxattr flags;
	struct stat now;
	unsigned int records = count_records(place);
	if (lstat(place->file, &now)) {
		if (errno != ENOENT || (intent->before.exists && intent->after.exists))
			cuts_wrong(place, "it is gone: %s", strerror(errno));
		if (records)
			cuts_wrong(place, "there is no file, and %u records", records);
		memset(&intent->before, 0, sizeof(intent->before));
		return;
	}
	flags_now(place, &flags);
	bool sealed = flags.fsx_xflags & FS_XFLAG_IMMUTABLE;
	if (!is_like(intent, &now, sealed, &like))
		cuts_wrong(place, "%ld bytes, sealed %d: it was %lu, %u and was to be %lu, %u",
			   (long)now.st_size, sealed, (unsigned long)intent->before.size,
			   intent->before.sealed, (unsigned long)intent->after.size,
			   intent->after.sealed);
	if (records != sealed)
		cuts_wrong(place, "%u records, sealed %d", records, sealed);
	if ((now.st_mode & 07777) != 0600)
		cuts_wrong(place, "mode %o", now.st_mode);
	check_flags(place, like);
	check_bytes(place, (uint64_t)now.st_size);
	struct cuts_state found = *like;
	found.exists = 1;
	found.sealed = sealed;
	found.size = (uint64_t)now.st_size;
	settle_page(place, &found);
	intent->before = found;
}
