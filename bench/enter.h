/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * enter.h -- what does it cost to be inside of a region? For bench-enter, and for
 * bench-enter-fake of the tests, which needs no device.
 *
 * Ours is a pair of pinreg_region_enter() and pinreg_region_exit() on a region of a
 * leased file, by one thread, and by two on the same region; the other is a pair of
 * pthread_rwlock_rdlock() and pthread_rwlock_unlock(), by as many threads on the same
 * lock. Nanoseconds for a pair, as each thread sees it: what scales costs the same
 * for two. Rounds alternate.
 */
#ifndef PINREG_BENCH_ENTER_H
#define PINREG_BENCH_ENTER_H

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <pinreg/pinreg.h>

#include "bench.h"
#include "fail.h"

#define ROUNDS 15
#define PAIRS 1000000u
#define THREADS_MAX 2u

static struct pinreg_region *region;
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

/* One for each way to do it, without a call between; false where it did not work. */
static inline bool enter_and_exit(void)
{
	for (unsigned int i = 0; i < PAIRS; i++) {
		if (pinreg_region_enter(region, NULL))
			return false;
		pinreg_region_exit(region);
	}
	return true;
}

static inline bool enter_with_keys(void)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	for (unsigned int i = 0; i < PAIRS; i++) {
		if (pinreg_region_enter(region, &keys))
			return false;
		pinreg_region_exit(region);
	}
	return true;
}

static inline bool lock_and_unlock(void)
{
	for (unsigned int i = 0; i < PAIRS; i++)
		if (pthread_rwlock_rdlock(&lock) || pthread_rwlock_unlock(&lock))
			return false;
	return true;
}

/* Time in which this thread ran: others on the machine do not count. */
static inline uint64_t thread_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

struct runner {
	bool (*pairs)(void);
	pthread_barrier_t *start;
	double ns; /* of a pair */
};

static inline void *run(void *context)
{
	struct runner *runner = context;
	pthread_barrier_wait(runner->start);
	uint64_t start = thread_now_ns();
	if (!runner->pairs())
		die("a pair", "it was refused");
	runner->ns = (double)(thread_now_ns() - start) / PAIRS;
	return NULL;
}

static inline double time_pairs(bool (*pairs)(void), unsigned int threads)
{
	struct runner runners[THREADS_MAX];
	pthread_t ids[THREADS_MAX];
	pthread_barrier_t start;
	double ns = 0;
	pthread_barrier_init(&start, NULL, threads);
	for (unsigned int i = 0; i < threads; i++) {
		runners[i] = (struct runner){ .pairs = pairs, .start = &start };
		if (pthread_create(&ids[i], NULL, run, &runners[i]))
			die("pthread_create", "no thread");
	}
	for (unsigned int i = 0; i < threads; i++) {
		pthread_join(ids[i], NULL);
		ns += runners[i].ns / threads;
	}
	pthread_barrier_destroy(&start);
	return ns;
}

static inline void measure(void)
{
	double one[ROUNDS], keys[ROUNDS], two[ROUNDS], lock_one[ROUNDS], lock_two[ROUNDS];
	for (size_t i = 0; i < ROUNDS; i++) {
		one[i] = time_pairs(enter_and_exit, 1);
		lock_one[i] = time_pairs(lock_and_unlock, 1);
		keys[i] = time_pairs(enter_with_keys, 1);
		two[i] = time_pairs(enter_and_exit, 2);
		lock_two[i] = time_pairs(lock_and_unlock, 2);
	}
	double ours = bench_median(one, ROUNDS);
	double ours_two = bench_median(two, ROUNDS);
	double other = bench_median(lock_one, ROUNDS);
	bench_report("enter-1-thread-to-rwlock", ours, other, "ns");
	bench_report("enter-with-keys-1-thread-to-rwlock", bench_median(keys, ROUNDS), other, "ns");
	bench_report("enter-2-threads-to-rwlock", ours_two, bench_median(lock_two, ROUNDS), "ns");
	bench_report("enter-2-threads-to-1-thread", ours_two, ours, "ns");
}

/* Of one page. */
static inline struct pinreg_file *open_file(struct pinreg_domain *domain, const char *path)
{
	struct pinreg_file_opts opts = {
		.size = sizeof(opts),
		.length = (uint64_t)sysconf(_SC_PAGESIZE),
		.create = 1,
		.allow_page_cache = 1,
	};
	struct pinreg_region_opts pages = {
		.size = sizeof(pages),
		.granularity = PINREG_GRANULARITY_PAGE,
	};
	struct pinreg_file *file;
	struct pinreg_why why;
	char sentence[512];
	if (pinreg_file_open(domain, AT_FDCWD, path, &opts, &why, &file) ||
	    pinreg_file_register(file, 0, 0, &pages, &why, &region)) {
		pinreg_why_describe(&why, sentence, sizeof(sentence));
		die(path, sentence);
	}
	return file;
}

/* With a file in that directory, on a filesystem with leases. */
static inline void bench_enter(struct pinreg_domain *domain, const char *directory)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/bench-enter-%d", directory, (int)getpid());
	struct pinreg_file *file = open_file(domain, path);
	measure();
	pinreg_region_deregister(region);
	pinreg_file_close(file);
	unlink(path);
}

#endif
