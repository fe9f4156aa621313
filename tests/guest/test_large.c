/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_large.c -- a file of more than 4 GiB: every offset and length in it needs
 * more than 32 bits somewhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "support/rdma.h"
#include "support/spare.h"
#include "support/test.h"

#define FILE_PATH SPARE "/large"
#define MIB ((uint64_t)1 << 20)
#define LENGTH (4096 * MIB + 2 * MIB)
#define LAST 65536u

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* The last bytes of a region, which are the last bytes of the file. */
static void write_last(struct pinreg_region *region, uint64_t length, unsigned int seed)
{
	struct rdma_peer *peer = rdma_peer_open();
	struct pinreg_keys keys = rdma_keys(region);
	rdma_pattern(rdma_peer_buffer(peer), LAST, seed);
	test_ok(rdma_peer_write(peer, &keys, length - LAST, LAST));
	test_ok(pinreg_region_commit(region, length - LAST, LAST));
	memset(rdma_peer_buffer(peer), 0, LAST);
	test_ok(rdma_peer_read(peer, &keys, length - LAST, LAST));
	rdma_expect(rdma_peer_buffer(peer), LAST, seed);
	rdma_peer_close(peer);
}

static void expect_last(const unsigned char *memory, unsigned int seed)
{
	rdma_expect(memory + LENGTH - LAST, LAST, seed);
	/* nothing went where the low 32 bits of its place point to */
	for (uint64_t at = 0; at < 2 * MIB; at++)
		if (memory[at])
			fail_msg("byte %lu was written", (unsigned long)at);
}

/* By paging all of it is one region; a shadow of it all would need as much memory. */
static void register_and_write(struct pinreg_file *file, const unsigned char *memory)
{
	struct pinreg_region_opts pages = {
		.size = sizeof(pages),
		.granularity = PINREG_GRANULARITY_PAGE,
	};
	struct pinreg_region *region;
	struct pinreg_why why;
	if (rdma_has_odp()) {
		test_ok(pinreg_file_register(file, 0, 0, &pages, &why, &region));
		write_last(region, LENGTH, 51);
		test_ok(pinreg_region_deregister(region));
		expect_last(memory, 51);
	}
	test_ok(pinreg_file_register(file, LENGTH - 3 * MIB, 3 * MIB, &pages, &why, &region));
	write_last(region, 3 * MIB, 52);
	test_ok(pinreg_region_deregister(region));
	expect_last(memory, 52);
}

static void prepared(const char *filesystem)
{
	struct pinreg_file_opts opts = { .size = sizeof(opts), .length = LENGTH, .create = 1 };
	struct pinreg_file_report report = { .size = sizeof(report) };
	struct pinreg_file_info info = { .size = sizeof(info) };
	unsigned char *bytes = malloc(LAST);
	struct pinreg_file *file;
	struct pinreg_why why;
	struct stat stat_now;
	spare_make(0, filesystem);
	double start = now();
	int status = pinreg_file_open(rdma_domain(NULL), AT_FDCWD, FILE_PATH, &opts, &why, &file);
	if (status)
		fail_msg("%s", rdma_sentence(&why));
	double opened = now();
	test_ok(pinreg_file_query(file, &info));
	assert_true(info.length == LENGTH && info.zeroed == LENGTH);
	test_ok(stat(FILE_PATH, &stat_now));
	assert_true((uint64_t)stat_now.st_size == LENGTH);
	assert_true((uint64_t)stat_now.st_blocks * 512 >= LENGTH);
	register_and_write(file, info.addr);
	double registered = now();
	test_ok(pinreg_file_close(file));

	test_ok(pinreg_file_verify(AT_FDCWD, FILE_PATH, NULL, NULL, &why, &report));
	assert_int_equal(report.flaws, 0);
	assert_true(report.file_size == LENGTH);
	int fd = open(FILE_PATH, O_RDONLY | O_CLOEXEC);
	test_ok(fd);
	assert_int_equal(pread(fd, bytes, LAST, (off_t)(LENGTH - LAST)), LAST);
	rdma_expect(bytes, LAST, 52);
	close(fd);

	/* it is found prepared */
	test_ok(pinreg_file_open(rdma_domain(NULL), AT_FDCWD, FILE_PATH, &opts, &why, &file));
	test_ok(pinreg_file_query(file, &info));
	assert_int_equal(info.zeroed, 0);
	test_ok(pinreg_file_close(file));
	print_message("%s: opened in %.1f s, registered and written in %.1f s, %lu extents, "
		      "%lu MiB for huge pages\n",
		      filesystem, opened - start, registered - opened,
		      (unsigned long)report.extents, (unsigned long)(report.huge / MIB));
	free(bytes);
}

static void large__on_ext4_dax(void **state)
{
	(void)state;
	prepared("ext4 -- dax=always");
}

static void large__on_xfs_dax(void **state)
{
	(void)state;
	prepared("xfs -d su=2m,sw=1 -- dax=always");
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test_teardown(large__on_ext4_dax, spare_remove),
	cmocka_unit_test_teardown(large__on_xfs_dax, spare_remove),
};

TEST_MAIN(cases)
