/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/blocks.h"

#include <string.h>
#include <sys/ioctl.h>

#include "support/test.h"

void blocks_read(int fd, uint64_t offset, uint64_t length, union blocks *out)
{
	memset(out, 0, sizeof(*out));
	out->map.fm_start = offset;
	out->map.fm_length = length;
	out->map.fm_extent_count = BLOCKS_MAX;
	test_ok(ioctl(fd, FS_IOC_FIEMAP, &out->map));
}
