/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * maps_descriptor.c -- the process's one descriptor of its memory map.
 *
 * Opening the map costs more than the question asked of it, so it is opened
 * once. Such a descriptor belongs to the memory it was opened for: what a
 * child inherits shows its parent. No lock is held here at any time, because a
 * child of fork() could find it taken for ever.
 */
#include "sys/maps_descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/real.h"

struct descriptor {
	int fd;
	dev_t device; /* procfs gives every open map an inode of its own: */
	ino_t inode;  /* this is how a number that was reused is found out */
	pid_t opener;
	struct descriptor *previous; /* never freed: a slow thread may look at it */
};

typedef _Atomic(struct descriptor *) descriptor_slot;

/* Lives on a page that is empty again in a child: exactly when the memory is another. */
static _Atomic(descriptor_slot *) forgetful_slot;

/* The last one opened by this process or, in a child, by its parent. */
static descriptor_slot newest;

/* -errno also where the process has as many mappings as it may. */
static int slot_get(descriptor_slot **out)
{
	*out = atomic_load(&forgetful_slot);
	if (*out)
		return 0;

	size_t size = pinreg_real_page_size();
	void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return -errno;
	if (madvise(page, size, MADV_WIPEONFORK)) {
		int error = errno;
		munmap(page, size);
		return -error;
	}
	if (atomic_compare_exchange_strong(&forgetful_slot, out, page))
		*out = page;
	else
		munmap(page, size);
	return 0;
}

/* False where somebody closed it behind our back, whatever the number is now. */
static bool is_ours(const struct descriptor *descriptor)
{
	struct stat now;
	return !fstat(descriptor->fd, &now) && now.st_ino == descriptor->inode &&
	       now.st_dev == descriptor->device;
}

int pinreg_maps_open(void)
{
	int fd = open(PINREG_MAPS_PATH, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int descriptor_open(struct descriptor **out)
{
	struct descriptor *fresh = calloc(1, sizeof(*fresh));
	if (!fresh)
		return -ENOMEM;
	struct stat now;
	fresh->fd = pinreg_maps_open();
	int error = fresh->fd < 0 ? fresh->fd : fstat(fresh->fd, &now) ? -errno : 0;
	if (error) {
		if (fresh->fd >= 0)
			close(fresh->fd);
		free(fresh);
		return error;
	}
	fresh->device = now.st_dev;
	fresh->inode = now.st_ino;
	fresh->opener = getpid();
	*out = fresh;
	return 0;
}

/* Remember it, and close what a parent left open in this process. */
static void descriptor_publish(struct descriptor *fresh)
{
	struct descriptor *before = atomic_load(&newest);
	do
		fresh->previous = before;
	while (!atomic_compare_exchange_weak(&newest, &before, fresh));
	if (before && before->opener != fresh->opener && is_ours(before))
		close(before->fd);
}

int pinreg_maps_descriptor(void)
{
	descriptor_slot *slot;
	int error = slot_get(&slot);
	if (error)
		return error;
	struct descriptor *known = atomic_load(slot);
	if (known && is_ours(known))
		return known->fd;

	struct descriptor *fresh = NULL;
	error = descriptor_open(&fresh);
	if (error)
		return error;
	if (atomic_compare_exchange_strong(slot, &known, fresh)) {
		descriptor_publish(fresh);
		return fresh->fd;
	}
	/* another thread was faster, and known is its descriptor now */
	close(fresh->fd);
	free(fresh);
	return known->fd;
}
