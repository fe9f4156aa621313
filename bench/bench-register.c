/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench-register.c -- how long does a registration take?
 *
 * Ours is pinreg_region_register() with default options, the other is plain
 * ibv_reg_mr(); deregistering is not timed. The memory is anonymous and either
 * cold, a fresh mapping for each registration, or touched, the same pages each
 * time. The rounds alternate, so that both see the same machine.
 *
 *   bench-register [DEVICE]
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include <infiniband/verbs.h>
#include <pinreg/pinreg.h>

#include "bench.h"
#include "device.h"
#include "fail.h"

#define ACCESS (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)

/* So many rounds, or fewer when they take long, but some. */
#define ROUNDS_MAX 101
#define ROUNDS_MIN 7
#define CASE_NS UINT64_C(10000000000)

struct bench {
	struct ibv_pd *pd;
	struct pinreg_domain *domain;
};

static void *map(size_t length)
{
	void *memory =
		mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		die("mmap", "no memory");
	return memory;
}

/* Microseconds. */
static double time_ours(const struct bench *bench, void *memory, size_t length)
{
	struct pinreg_region *region;
	struct pinreg_why why;
	char sentence[512];
	uint64_t start = bench_now_ns();
	int status = pinreg_region_register(bench->domain, memory, length, NULL, &why, &region);
	uint64_t spent = bench_now_ns() - start;
	if (status) {
		pinreg_why_describe(&why, sentence, sizeof(sentence));
		die("pinreg_region_register", sentence);
	}
	pinreg_region_deregister(region);
	return (double)spent / 1000;
}

static double time_other(const struct bench *bench, void *memory, size_t length)
{
	uint64_t start = bench_now_ns();
	struct ibv_mr *mr = ibv_reg_mr(bench->pd, memory, length, ACCESS);
	uint64_t spent = bench_now_ns() - start;
	if (!mr)
		die("ibv_reg_mr", strerror(errno));
	ibv_dereg_mr(mr);
	return (double)spent / 1000;
}

typedef double time_function(const struct bench *bench, void *memory, size_t length);

static double time_cold(const struct bench *bench, time_function *function, size_t length)
{
	void *memory = map(length);
	double spent = function(bench, memory, length);
	munmap(memory, length);
	return spent;
}

/* touched: NULL for cold memory. */
static void run_case(const struct bench *bench, const char *name, void *touched, size_t length)
{
	static double ours[ROUNDS_MAX], other[ROUNDS_MAX];
	uint64_t begin = bench_now_ns();
	size_t count = 0;
	while (count < ROUNDS_MAX && (count < ROUNDS_MIN || bench_now_ns() - begin < CASE_NS)) {
		/* who comes second may find warmer caches: take turns */
		for (size_t turn = 0; turn < 2; turn++) {
			bool is_ours = (turn + count) % 2;
			time_function *function = is_ours ? time_ours : time_other;
			double *out = is_ours ? &ours[count] : &other[count];
			*out = touched ? function(bench, touched, length)
				       : time_cold(bench, function, length);
		}
		count++;
	}
	bench_report(name, bench_median(ours, count), bench_median(other, count), "us");
}

static void run_size(const struct bench *bench, const char *size, size_t length)
{
	char name[64];
	void *memory = map(length);
	memset(memory, 1, length);
	/* what is done once is not measured */
	time_ours(bench, memory, length);
	time_other(bench, memory, length);
	snprintf(name, sizeof(name), "register-touched-%s", size);
	run_case(bench, name, memory, length);
	munmap(memory, length);
	snprintf(name, sizeof(name), "register-cold-%s", size);
	run_case(bench, name, NULL, length);
}

int main(int argc, char **argv)
{
	struct bench bench;
	struct ibv_context *context = bench_open_device(argc > 1 ? argv[1] : NULL);
	if (!context)
		die("device", "there is none");
	bench.pd = ibv_alloc_pd(context);
	if (!bench.pd)
		die("ibv_alloc_pd", strerror(errno));
	int status = pinreg_domain_open(bench.pd, NULL, &bench.domain);
	if (status)
		die("pinreg_domain_open", strerror(-status));

	run_size(&bench, "64K", 64u << 10);
	run_size(&bench, "1M", 1u << 20);
	run_size(&bench, "4M", 4u << 20);
	run_size(&bench, "16M", 16u << 20);
	run_size(&bench, "256M", 256u << 20);

	pinreg_domain_close(bench.domain);
	ibv_dealloc_pd(bench.pd);
	ibv_close_device(context);
	return EXIT_SUCCESS;
}
