/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_store.c -- the record of a file, kept beside it.
 */
#include "file/record_store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/why.h"

/* The directory that path lies in, as a path. 0 or -ENAMETOOLONG. */
static int directory_of(const char *path, char directory[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) : 0;
	if (length >= PATH_MAX)
		return -ENAMETOOLONG;
	if (!slash || slash == path) {
		strcpy(directory, slash ? "/" : ".");
		return 0;
	}
	memcpy(directory, path, length);
	directory[length] = 0;
	return 0;
}

int pinreg_store_open(struct pinreg_record_store *store, const struct pinreg_sys *sys, int dirfd,
		      const char *path, uint64_t inode)
{
	char directory[PATH_MAX];
	*store = (struct pinreg_record_store){ .sys = sys, .dirfd = -1 };
	int status = directory_of(path, directory);
	if (status)
		return status;
	int fd = sys->file_open(dirfd, directory, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	store->dirfd = fd;
	snprintf(store->name, sizeof(store->name), ".pinreg-%" PRIx64, inode);
	snprintf(store->fresh, sizeof(store->fresh), ".pinreg-%" PRIx64 ".new", inode);
	return 0;
}

void pinreg_store_close(struct pinreg_record_store *store)
{
	if (store->dirfd >= 0)
		store->sys->file_close(store->dirfd);
	store->dirfd = -1;
}

static int untrusted(struct pinreg_why *why, const char *reason)
{
	pinreg_why_call(why, PINREG_REASON_FILE_RECORD_UNTRUSTED, reason, -EPERM);
	return -EPERM;
}

/* Could somebody have put it there, or change it, who may not do what it asks for? */
static int check_file(const struct pinreg_sys *sys, const struct pinreg_file_look *look,
		      const struct pinreg_file_look *file, struct pinreg_why *why)
{
	if (!S_ISREG(look->mode))
		return untrusted(why, "not a regular file");
	if (look->links != 1)
		return untrusted(why, "it has two names");
	if (look->mode & 022)
		return untrusted(why, "others may write it");
	if (look->owner && look->owner != sys->user_id())
		return untrusted(why, "of another user");
	if (look->device != file->device)
		return untrusted(why, "of other filesystem");
	return 0;
}

/* The bytes of the record, of which there are fewer than the room. */
static ssize_t read_text(struct pinreg_record_store *store, const struct pinreg_file_look *file,
			 char text[PINREG_RECORD_ROOM], struct pinreg_why *why)
{
	const struct pinreg_sys *sys = store->sys;
	struct pinreg_file_look look;
	/* O_NONBLOCK: it may be a fifo that somebody put there */
	int fd = sys->file_open(store->dirfd, store->name,
				O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
	if (fd == -ENOENT)
		return fd;
	if (fd == -ELOOP || fd == -ENXIO)
		return untrusted(why, "not a regular file");
	if (fd == -EACCES)
		return untrusted(why, "of another user");
	if (fd < 0)
		return pinreg_why_call(why, PINREG_REASON_FILE_SYSTEM_CALL, "open of the record",
				       fd);
	int status = sys->file_look(fd, &look);
	if (status)
		pinreg_why_call(why, PINREG_REASON_FILE_SYSTEM_CALL, "statx", status);
	else
		status = check_file(sys, &look, file, why);
	ssize_t got = status ? status : sys->file_read(fd, text, PINREG_RECORD_ROOM);
	if (!status && got < 0)
		pinreg_why_call(why, PINREG_REASON_FILE_SYSTEM_CALL, "read of the record",
				(int)got);
	sys->file_close(fd);
	return got;
}

/* Is it of this inode, of another one, or of one that had its number? */
static int check_inode(const struct pinreg_sys *sys, const struct pinreg_record *record,
		       const struct pinreg_file_look *file, uint64_t generation,
		       struct pinreg_why *why)
{
	char boot[PINREG_BOOT_ID];
	if (record->inode != file->inode)
		return untrusted(why, "of another inode");
	/* a device may have another number after a boot */
	bool same_boot = !sys->boot_id(boot) && !strcmp(boot, record->owner.boot);
	if (same_boot && record->device != file->device)
		return untrusted(why, "of another device");
	if ((generation && record->generation && generation != record->generation) ||
	    (file->born_ns && record->born_ns && file->born_ns != record->born_ns))
		return -ESTALE;
	return 0;
}

int pinreg_store_read(struct pinreg_record_store *store, const struct pinreg_file_look *file,
		      uint64_t generation, struct pinreg_record *out, struct pinreg_why *why)
{
	char text[PINREG_RECORD_ROOM];
	struct pinreg_record record;
	ssize_t got = read_text(store, file, text, why);
	if (got < 0)
		return (int)got;
	if (pinreg_record_parse(text, (size_t)got, &record))
		return pinreg_why_set(why, PINREG_REASON_FILE_RECORD_BAD, -EBADMSG);
	int status = check_inode(store->sys, &record, file, generation, why);
	if (!status || status == -ESTALE)
		*out = record;
	return status;
}

/* Names in the directory last when this returns 0. */
static int sync_directory(struct pinreg_record_store *store)
{
	const struct pinreg_sys *sys = store->sys;
	int fd = sys->file_open(store->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	int status = sys->file_sync(fd);
	sys->file_close(fd);
	return status;
}

/* A new file in place of what a crash may have left. */
static int open_fresh(struct pinreg_record_store *store)
{
	const struct pinreg_sys *sys = store->sys;
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = sys->file_open(store->dirfd, store->fresh, flags, 0600);
	if (fd != -EEXIST)
		return fd;
	int status = sys->file_unlink(store->dirfd, store->fresh);
	return status ? status : sys->file_open(store->dirfd, store->fresh, flags, 0600);
}

int pinreg_store_write(struct pinreg_record_store *store, const struct pinreg_record *record)
{
	const struct pinreg_sys *sys = store->sys;
	char text[PINREG_RECORD_ROOM];
	size_t length = pinreg_record_format(record, text);
	int fd = open_fresh(store);
	if (fd < 0)
		return fd;
	int status = sys->file_write(fd, text, length);
	if (!status)
		status = sys->file_sync(fd);
	sys->file_close(fd);
	if (!status)
		status = sys->file_rename(store->dirfd, store->fresh, store->name);
	if (status) {
		sys->file_unlink(store->dirfd, store->fresh);
		return status;
	}
	return sync_directory(store);
}

int pinreg_store_remove(struct pinreg_record_store *store)
{
	const struct pinreg_sys *sys = store->sys;
	sys->file_unlink(store->dirfd, store->fresh);
	int status = sys->file_unlink(store->dirfd, store->name);
	if (status)
		return status == -ENOENT ? 0 : status;
	return sync_directory(store);
}
