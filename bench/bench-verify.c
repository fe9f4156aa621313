/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench-verify.c -- is every block of a file of 100,000 extents written?
 *
 * Ours is pinreg_file_verify(), the other is what tells the same of a file
 * without a block map, though not whether blocks moved: a pair of SEEK_DATA and
 * SEEK_HOLE for each extent. The file is on the filesystem of the argument or of
 * /var/tmp.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <pinreg/pinreg.h>

#include "bench.h"

#define EXTENTS 100000
#define BLOCK 4096
#define SAMPLES 5

/* Every second block is punched out of a written file. */
static int make_file(const char *path)
{
	static char data[1 << 20];
	const off_t size = (off_t)EXTENTS * 2 * BLOCK;
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i | 1);
	for (off_t at = 0; at < size; at += (off_t)sizeof(data))
		if (pwrite(fd, data, sizeof(data), at) != (ssize_t)sizeof(data))
			return -1;
	if (ftruncate(fd, size) || fsync(fd))
		return -1;
	for (off_t i = 0; i < EXTENTS; i++)
		if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, i * 2 * BLOCK, BLOCK))
			return -1;
	if (fsync(fd))
		return -1;
	return fd;
}

/* Milliseconds, or -1. */
static double time_verify(const char *path)
{
	struct pinreg_file_report report = { .size = sizeof(report) };
	uint64_t start = bench_now_ns();
	if (pinreg_file_verify(AT_FDCWD, path, NULL, NULL, NULL, &report) ||
	    report.extents != EXTENTS || report.holes != (uint64_t)EXTENTS * BLOCK)
		return -1;
	return (double)(bench_now_ns() - start) / 1e6;
}

static double time_seeks(int fd)
{
	uint64_t start = bench_now_ns();
	unsigned int extents = 0;
	off_t at = 0;
	while ((at = lseek(fd, at, SEEK_DATA)) >= 0 && (at = lseek(fd, at, SEEK_HOLE)) >= 0)
		extents++;
	if (errno != ENXIO || extents != EXTENTS)
		return -1;
	return (double)(bench_now_ns() - start) / 1e6;
}

static int measure(int fd, const char *path)
{
	double ours[SAMPLES];
	double other[SAMPLES];
	for (size_t i = 0; i < SAMPLES; i++) {
		ours[i] = time_verify(path);
		other[i] = time_seeks(fd);
		if (ours[i] < 0 || other[i] < 0) {
			fprintf(stderr, "bench-verify: %s has not the extents it was given\n",
				path);
			return EXIT_FAILURE;
		}
	}
	bench_report("verify-100000-extents", bench_median(ours, SAMPLES),
		     bench_median(other, SAMPLES), "ms");
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/bench-verify-%d", argc > 1 ? argv[1] : "/var/tmp",
		 (int)getpid());
	int fd = make_file(path);
	int status = EXIT_FAILURE;
	if (fd < 0)
		perror(path);
	else
		status = measure(fd, path);
	unlink(path);
	return status;
}
