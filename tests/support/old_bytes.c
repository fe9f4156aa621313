/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/old_bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "support/blocks.h"
#include "support/host.h"
#include "support/rdma.h"
#include "support/spare.h"
#include "support/test.h"

#define MIB ((uint64_t)1 << 20)
#define DEVICE_MIB 400u /* xfs makes none below 300 */

/* None of them is 0, as every byte of a file without data must be. */
static void make_bytes(unsigned char *to, size_t length)
{
	rdma_pattern(to, length, 41);
	for (size_t i = 0; i < length; i++)
		to[i] |= 0x10;
}

static void fill(const char *path, uint64_t length)
{
	static unsigned char bytes[1 << 20];
	ssize_t done = 1;
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	test_ok(fd);
	make_bytes(bytes, sizeof(bytes));
	for (uint64_t at = 0; at < length && done > 0; at += (uint64_t)done)
		done = write(fd, bytes, sizeof(bytes));
	assert_true(done > 0 || errno == ENOSPC);
	test_ok(fsync(fd));
	close(fd);
}

void old_bytes_of_the_device(const char *make)
{
	fill(spare_device(), DEVICE_MIB * MIB);
	spare_make(DEVICE_MIB, make);
}

void old_bytes_of_a_deleted_file(const char *make)
{
	spare_make(DEVICE_MIB, make);
	fill(SPARE "/deleted", UINT64_MAX);
	test_ok(unlink(SPARE "/deleted"));
	/* xfs frees blocks behind our back */
	assert_int_equal(host_run("sync; sleep 0.3; sync"), 0);
}

/* Of the samples of an extent, those whose bytes on the device are old ones. */
static void sample_extent(int device, const struct fiemap_extent *extent, unsigned int *old,
			  unsigned int *samples)
{
	unsigned char block[4096];
	for (uint64_t at = 0; at < extent->fe_length; at += 16 * sizeof(block)) {
		off_t place = (off_t)(extent->fe_physical + at);
		assert_int_equal(pread(device, block, sizeof(block), place), sizeof(block));
		*old += !memchr(block, 0, sizeof(block));
		*samples += 1;
	}
}

void old_bytes_preallocate(const char *path, uint64_t length)
{
	union blocks blocks;
	unsigned int old = 0, samples = 0;
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int device = open(spare_device(), O_RDONLY | O_CLOEXEC);
	test_ok(fd);
	test_ok(device);
	test_ok(fallocate(fd, 0, 0, (off_t)length));
	test_ok(fsync(fd));
	blocks_read(fd, 0, length, &blocks);
	for (unsigned int i = 0; i < blocks.map.fm_mapped_extents; i++) {
		const struct fiemap_extent *extent = &blocks.map.fm_extents[i];
		assert_true(extent->fe_flags & FIEMAP_EXTENT_UNWRITTEN);
		sample_extent(device, extent, &old, &samples);
	}
	if (samples < length / 65536 || old < samples / 10 * 9)
		fail_msg("%s: only %u of %u blocks hold old bytes", path, old, samples);
	close(device);
	close(fd);
}
