/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seal.c -- the immutable flag on and off.
 */
#include "file/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>

#include "base/why.h"

static int refused(struct pinreg_why *why, int status)
{
	switch (status) {
	case -EPERM:
	case -EACCES:
		return pinreg_why_set(why, PINREG_REASON_FILE_SEAL_RIGHT, -EPERM);
	case -ENOTTY:
	case -EOPNOTSUPP:
	case -EINVAL:
		pinreg_why_call(why, PINREG_REASON_FILE_SEAL_UNSUPPORTED, "FS_IOC_FSSETXATTR",
				status);
		if (why)
			why->error = -EOPNOTSUPP;
		return -EOPNOTSUPP;
	default:
		return pinreg_why_call(why, PINREG_REASON_FILE_SYSTEM_CALL, "FS_IOC_FSSETXATTR",
				       status);
	}
}

/* *was: before. */
static int set_flag(const struct pinreg_sys *sys, int fd, bool on, bool *was,
		    struct pinreg_why *why)
{
	struct pinreg_file_flags flags;
	int status = sys->file_flags_get(fd, &flags);
	if (status)
		return refused(why, status);
	*was = flags.xflags & FS_XFLAG_IMMUTABLE;
	if (*was == on)
		return 0;
	flags.xflags ^= FS_XFLAG_IMMUTABLE;
	status = sys->file_flags_set(fd, &flags);
	return status ? refused(why, status) : 0;
}

int pinreg_seal_possible(const struct pinreg_sys *sys, int directory,
			 const struct pinreg_file_look *look, struct pinreg_why *why)
{
	bool was;
	if (!look->dax && !look->seals_cache)
		return pinreg_why_set(why, PINREG_REASON_FILE_SEAL_UNSUPPORTED, -EOPNOTSUPP);
	int fd = sys->file_open(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return 0; /* the file itself will tell */
	int status = set_flag(sys, fd, true, &was, why);
	sys->file_close(fd);
	return status;
}

int pinreg_seal_on(const struct pinreg_sys *sys, int fd, struct pinreg_why *why)
{
	bool was;
	return set_flag(sys, fd, true, &was, why);
}

int pinreg_seal_off(const struct pinreg_sys *sys, int fd, const struct pinreg_file_flags *old,
		    bool *was, struct pinreg_why *why)
{
	bool unheard;
	if (!was)
		was = &unheard;
	*was = false;
	if (old->xflags & FS_XFLAG_IMMUTABLE)
		return 0;
	return set_flag(sys, fd, false, was, why);
}
