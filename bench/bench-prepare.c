/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench-prepare.c -- how long does it take to make a DAX file ready?
 *
 * Ours is pinreg_file_prepare(): allocate, zero, sync, prove. Of a new file it is
 * compared with what one would do otherwise, fallocate() and writing zeros with
 * pwrite(), and with a memset() through a mapping whose blocks are written already:
 * that is what the memory itself costs. Of a file that is prepared already it is
 * compared with preparing it the first time. The rounds alternate.
 *
 *   bench-prepare DIRECTORY [MIB]
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <pinreg/prepare.h>

#include "bench.h"
#include "fail.h"

#define ROUNDS 9
#define BLOCK ((size_t)1 << 20) /* of a pwrite */

struct bench {
	size_t length;
	char path[256]; /* of the file that is made new each time */
	char written[256];
	unsigned char *memory; /* of the written one */
	unsigned char *zeros;
};

static double since(uint64_t start)
{
	return (double)(bench_now_ns() - start) / 1000;
}

/* Microseconds, as all that follow. */
static double prepare(const struct bench *bench, const char *path, unsigned int threads)
{
	struct pinreg_file_opts opts = {
		.size = sizeof(opts),
		.length = bench->length,
		.create = 1,
		.threads = threads,
	};
	struct pinreg_why why;
	char sentence[512];
	uint64_t start = bench_now_ns();
	if (pinreg_file_prepare(AT_FDCWD, path, &opts, &why, NULL)) {
		pinreg_why_describe(&why, sentence, sizeof(sentence));
		die(path, sentence);
	}
	return since(start);
}

static double prepare_new(const struct bench *bench, unsigned int threads)
{
	double spent = prepare(bench, bench->path, threads);
	unlink(bench->path);
	return spent;
}

static double write_zeros(const struct bench *bench)
{
	uint64_t start = bench_now_ns();
	int fd = open(bench->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || fallocate(fd, 0, 0, (off_t)bench->length))
		die("fallocate", strerror(errno));
	for (size_t at = 0; at < bench->length; at += BLOCK)
		if (pwrite(fd, bench->zeros, BLOCK, (off_t)at) != (ssize_t)BLOCK)
			die("pwrite", strerror(errno));
	if (fsync(fd))
		die("fsync", strerror(errno));
	double spent = since(start);
	close(fd);
	unlink(bench->path);
	return spent;
}

static double set_memory(const struct bench *bench)
{
	uint64_t start = bench_now_ns();
	memset(bench->memory, 0, bench->length);
	/* or the compiler would leave it out */
	__asm__ volatile("" : : "r"(bench->memory) : "memory");
	return since(start);
}

static void map_written(struct bench *bench)
{
	prepare(bench, bench->written, 0);
	int fd = open(bench->written, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die(bench->written, strerror(errno));
	void *memory = mmap(NULL, bench->length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (memory == MAP_FAILED)
		die("mmap", strerror(errno));
	bench->memory = memory;
	set_memory(bench); /* its page faults are not what is measured */
}

static void report(const struct bench *bench, const char *name, double *ours, double *other)
{
	char text[128];
	snprintf(text, sizeof(text), "prepare-%zuM-%s", bench->length >> 20, name);
	bench_report(text, bench_median(ours, ROUNDS), bench_median(other, ROUNDS), "us");
}

static void run_new(const struct bench *bench)
{
	static double one[ROUNDS], two[ROUNDS], writing[ROUNDS], setting[ROUNDS];
	for (size_t i = 0; i < ROUNDS; i++) {
		one[i] = prepare_new(bench, 1);
		writing[i] = write_zeros(bench);
		two[i] = prepare_new(bench, 2);
		setting[i] = set_memory(bench);
	}
	report(bench, "1-thread-to-pwrite", one, writing);
	report(bench, "2-threads-to-pwrite", two, writing);
	report(bench, "1-thread-to-memset", one, setting);
}

static void run_again(const struct bench *bench)
{
	static double first[ROUNDS], again[ROUNDS];
	for (size_t i = 0; i < ROUNDS; i++) {
		first[i] = prepare(bench, bench->path, 1);
		again[i] = prepare(bench, bench->path, 1);
		unlink(bench->path);
	}
	report(bench, "again", again, first);
}

int main(int argc, char **argv)
{
	struct bench bench = { .length = (size_t)256 << 20 };
	if (argc < 2)
		die("usage", "bench-prepare DIRECTORY [MIB]");
	if (argc > 2)
		bench.length = strtoul(argv[2], NULL, 10) << 20;

	snprintf(bench.path, sizeof(bench.path), "%s/bench-prepare.new", argv[1]);
	snprintf(bench.written, sizeof(bench.written), "%s/bench-prepare.old", argv[1]);
	bench.zeros = calloc(1, BLOCK);
	if (!bench.zeros || !bench.length)
		die("memory", "none");
	map_written(&bench);
	/* what is done once is not measured */
	prepare_new(&bench, 1);
	write_zeros(&bench);
	run_new(&bench);
	run_again(&bench);
	munmap(bench.memory, bench.length);
	unlink(bench.written);
	free(bench.zeros);
	return EXIT_SUCCESS;
}
