/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * range.c -- the addresses of a file, and what is mapped there.
 */
#include "file/range.h"

#include <errno.h>
#include <string.h>

#include "base/why.h"

static int failed(struct pinreg_why *why, const char *step, int status)
{
	return pinreg_why_call(why, PINREG_REASON_FILE_SYSTEM_CALL, step, status);
}

/* Anywhere: the kernel aligns it for huge pages. */
static int choose(struct pinreg_prepared *file)
{
	const struct pinreg_sys *sys = file->device->sys;
	int status = -EOPNOTSUPP;
	if (file->dax)
		status = sys->map(file->fd, file->length, true, &file->addr);
	file->map_sync = !status;
	if (status == -EOPNOTSUPP || status == -EINVAL)
		status = sys->map(file->fd, file->length, false, &file->addr);
	file->reserved = status ? 0 : file->length;
	return status;
}

int pinreg_range_file(struct pinreg_prepared *file, struct pinreg_why *why)
{
	const struct pinreg_sys *sys = file->device->sys;
	bool first = !file->addr;
	int status;
	if (file->mapped)
		return 0;
	if (first)
		status = choose(file);
	else
		status = sys->map_over(file->fd, file->addr, file->length, file->map_sync);
	/* a failure may leave a hole, which nobody's memory has to fill */
	file->mapped = file->addr;
	if (status)
		return failed(why, "mmap", status);
	if (!first)
		return 0;
	status = sys->persist_open(file->fd, file->addr, file->length, file->map_sync,
				   &file->persist);
	return status ? failed(why, "libpmem2", status) : 0;
}

void pinreg_range_nobody(struct pinreg_prepared *file)
{
	const struct pinreg_sys *sys = file->device->sys;
	if (!file->addr || !file->mapped)
		return;
	int status = sys->map_nobody(file->addr, file->reserved);
	file->mapped = status;
	if (status)
		pinreg_log(&file->device->log, PINREG_LOG_WARNING,
			   "%s: while it is another's, its memory must not be touched: mmap: %s",
			   file->path, strerror(-status));
}

void pinreg_range_free(struct pinreg_prepared *file)
{
	const struct pinreg_sys *sys = file->device->sys;
	if (file->persist)
		sys->persist_close(file->persist);
	file->persist = NULL;
	if (file->addr)
		sys->unmap(file->addr, file->reserved);
	file->addr = NULL;
	file->mapped = false;
}
