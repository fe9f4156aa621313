/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scratch.c -- testing ODP on the filesystem of a file, with a nameless file
 * beside it.
 */
#include <fcntl.h>
#include <string.h>

#include "file/prepared.h"
#include "plan/trust.h"

/* A nameless file in the directory of file. */
static int open_scratch(struct pinreg_prepared *file)
{
	char directory[PATH_MAX] = ".";
	const char *slash = strrchr(file->path, '/');
	if (slash == file->path)
		strcpy(directory, "/");
	else if (slash && (size_t)(slash - file->path) < sizeof(directory)) {
		memcpy(directory, file->path, (size_t)(slash - file->path));
		directory[slash - file->path] = 0;
	}
	return file->device->sys->file_open(file->dirfd, directory, O_TMPFILE | O_RDWR | O_CLOEXEC,
					    0600);
}

/* Map it, prepared as the real one would be, and move data. */
static int test_mapped(struct pinreg_prepared *file, int fd)
{
	const struct pinreg_sys *sys = file->device->sys;
	struct pinreg_file_look look;
	struct pinreg_trust_report report = { .size = sizeof(report) };
	void *memory;
	int status = sys->file_look(fd, &look);
	if (status || !look.dax)
		return status; /* says nothing about DAX: the device's own test has to do */
	status = sys->file_allocate(fd, 0, 0, PINREG_TRUST_ROOM);
	if (!status)
		status = sys->map(fd, PINREG_TRUST_ROOM, false, &memory);
	if (status)
		return status;
	status = sys->populate(memory, PINREG_TRUST_ROOM, true);
	if (!status)
		status = pinreg_trust_of_memory(file->device, file->st_dev, memory,
						PINREG_TRUST_ROOM, &report);
	sys->unmap(memory, PINREG_TRUST_ROOM);
	return status;
}

void pinreg_prepared_test_odp(struct pinreg_prepared *file)
{
	struct pinreg_device *device = file->device;
	bool possible = device->odp & IBV_ODP_SUPPORT;
	if (!file->dax || !possible ||
	    pinreg_trust_known_of(device, file->st_dev, NULL) != PINREG_TRUST_UNTESTED)
		return;
	int fd = open_scratch(file);
	int status = fd < 0 ? fd : test_mapped(file, fd);
	if (fd >= 0)
		device->sys->file_close(fd);
	if (status)
		pinreg_log(&device->log, PINREG_LOG_WARNING,
			   "no ODP test on the filesystem of %s: %s", file->path,
			   strerror(-status));
}
