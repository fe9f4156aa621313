/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * file_flags.c -- the flags of an inode that outlive its openers, and the hint for
 * the size of its extents.
 */
#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "sys/real.h"

int pinreg_real_file_flags_get(int fd, struct pinreg_file_flags *out)
{
	struct fsxattr attributes;
	if (ioctl(fd, FS_IOC_FSGETXATTR, &attributes))
		return -errno;
	*out = (struct pinreg_file_flags){
		.xflags = attributes.fsx_xflags,
		.extsize = attributes.fsx_extsize,
	};
	return 0;
}

int pinreg_real_file_flags_set(int fd, const struct pinreg_file_flags *flags)
{
	/* the project and the other hint are not ours: as they are now */
	struct fsxattr attributes;
	if (ioctl(fd, FS_IOC_FSGETXATTR, &attributes))
		return -errno;
	attributes.fsx_xflags = flags->xflags;
	attributes.fsx_extsize = flags->extsize;
	return ioctl(fd, FS_IOC_FSSETXATTR, &attributes) ? -errno : 0;
}
