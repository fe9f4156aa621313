/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verify_path.c -- looking at the blocks of a file that nobody opened yet,
 * without taking it from somebody who has it leased.
 */
#include "file/verify_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>

#include "base/opts.h"
#include "base/why.h"
#include "file/look.h"
#include "file/record_store.h"
#include "file/verify.h"

/* The caller's function, and whether it was it that ended the walk. */
struct listener {
	pinreg_flaw_function *flaw;
	void *context;
	bool ended;
};

static int tell(void *context, const struct pinreg_flaw *flaw)
{
	struct listener *listener = context;
	listener->ended = listener->flaw(listener->context, flaw) != 0;
	return listener->ended ? -ECANCELED : 0;
}

static int in_use(struct pinreg_why *why, pid_t holder)
{
	pinreg_why_set(why, PINREG_REASON_FILE_IN_USE, -EBUSY);
	why->used = holder > 0 ? (uint64_t)holder : 0;
	return -EBUSY;
}

/*
 * A living owner may have let his file go for a moment, or be just about to
 * lease it: opening it would cost him the rest. A record that cannot be read or
 * believed says nothing.
 */
static int ask_owner(const struct pinreg_sys *sys, int dirfd, const char *path,
		     const struct pinreg_file_look *look, struct pinreg_why *why)
{
	struct pinreg_record_store store;
	struct pinreg_record record;
	if (pinreg_store_open(&store, sys, dirfd, path, look->inode))
		return 0;
	int status = pinreg_store_read(&store, look, 0, &record, NULL);
	pinreg_store_close(&store);
	if (status || !pinreg_owner_alive(sys, &record.owner))
		return 0;
	return pinreg_owner_refuse(&record.owner, why);
}

static int look_and_open(const struct pinreg_sys *sys, int dirfd, const char *path,
			 struct pinreg_file_look *look, struct pinreg_why *why)
{
	int status = pinreg_look_at_path(sys, dirfd, path, look, why);
	if (status == -ENOENT)
		return pinreg_why_call(why, PINREG_REASON_FILE_SYSTEM_CALL, "open", status);
	if (status)
		return status;
	pid_t holder = sys->lease_holder(look->device, look->inode, false);
	if (holder)
		return in_use(why, holder);
	status = ask_owner(sys, dirfd, path, look, why);
	if (status)
		return status;
	return pinreg_look_open(sys, dirfd, path, O_RDONLY, look, why);
}

static int verify_open(const struct pinreg_sys *sys, int fd, const struct pinreg_file_look *look,
		       struct listener *listener, struct pinreg_why *why,
		       struct pinreg_file_report *report)
{
	struct pinreg_verify verify = {
		.sys = sys,
		.fd = fd,
		.length = look->size,
		.dax = look->dax,
		.tmpfs = look->tmpfs,
		.flaw = listener->flaw ? tell : NULL,
		.context = listener,
	};
	*report = (struct pinreg_file_report){
		.file_size = look->size,
		.device = look->device,
		.inode = look->inode,
		.dax = look->dax,
		.immutable = look->immutable,
	};
	/* many filesystems have none: 0 says so */
	sys->file_generation(fd, &report->inode_generation);
	int status = pinreg_verify_blocks(&verify, report);
	if (listener->ended)
		return pinreg_why_set(why, PINREG_REASON_FILE_CANCELLED, status);
	if (status)
		pinreg_why_call(why, PINREG_REASON_FILE_SYSTEM_CALL, pinreg_verify_call(&verify),
				status);
	return status;
}

int pinreg_verify_path(const struct pinreg_sys *sys, int dirfd, const char *path,
		       pinreg_flaw_function *flaw, void *context, struct pinreg_why *why,
		       struct pinreg_file_report *out)
{
	struct pinreg_why unheard;
	if (!why)
		why = &unheard;
	pinreg_why_set(why, PINREG_REASON_NONE, 0);
	if (!path || pinreg_info_check(out, offsetof(struct pinreg_file_report, dax)))
		return pinreg_why_set(why, PINREG_REASON_BAD_OPTION, -EINVAL);
	struct listener listener = { .flaw = flaw, .context = context };
	struct pinreg_file_look look;
	struct pinreg_file_report report;
	int fd = look_and_open(sys, dirfd, path, &look, why);
	if (fd < 0)
		return fd;
	int status = verify_open(sys, fd, &look, &listener, why, &report);
	sys->file_close(fd);
	if (!status)
		pinreg_info_write(out, &report, sizeof(report));
	return status;
}

int pinreg_file_verify(int dirfd, const char *path, pinreg_flaw_function *flaw, void *context,
		       struct pinreg_why *why, struct pinreg_file_report *out)
{
	return pinreg_verify_path(&pinreg_sys_real, dirfd, path, flaw, context, why, out);
}
