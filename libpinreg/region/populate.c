/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * populate.c -- touching cold memory in parallel before the kernel pins it.
 *
 * The range is divided into as many parts as there are threads, each contiguous
 * so that it lies on the NUMA node of its thread. Who is done with his own part
 * helps with the others, a piece at a time.
 */
#include "region/populate.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>

#define THREADS_MAX 64

/* What a thread takes at once: some huge pages, so that no two share one. */
#define PIECE (4u << 20)

/* For less than this it does not pay to start another thread. */
#define THREAD_LEAST (8u << 20)

/* Looked at in the whole range, and in a piece of one that is partly warm. */
#define SAMPLE_EVERY (4u << 20)
#define SAMPLES_MAX 16u
#define PIECE_SAMPLES 4u

#define REPORT_EVERY (32u << 20)

struct span {
	uint64_t start;
	uint64_t end;
};

/* In a cache line of its own: its thread writes to it for each piece. */
struct part {
	alignas(64) _Atomic uint64_t next;
	uint64_t end;
};

struct work {
	const struct pinreg_sys *sys;
	const struct pinreg_populate *how;
	struct span range;
	uint64_t piece;	      /* bytes; pieces begin at multiples of it */
	uint64_t huge;	      /* bytes of a huge page, or 0 */
	bool ask_huge;	      /* only where advised */
	bool partly;	      /* some of it is warm: look before touching */
	unsigned int threads; /* as many as parts */
	_Atomic uint64_t done;
	atomic_bool stop;
	uint64_t reported;
	struct pinreg_cpus cpus;
	struct part parts[THREADS_MAX];
};

struct worker {
	struct work *work;
	unsigned int index;
	pthread_t thread;
};

/*
 * Look at so many pages of a range, each at another place in its stripe, since
 * what was touched is often so at regular distances. The count of cold ones, and
 * in *cold the stripes from the first such to the last.
 */
static unsigned int sample(const struct pinreg_sys *sys, struct span range, unsigned int samples,
			   struct span *cold)
{
	uint64_t stripe = (range.end - range.start) / samples;
	void *pages[SAMPLES_MAX];
	bool resident[SAMPLES_MAX];
	unsigned int count = 0;
	for (unsigned int i = 0; i < samples; i++) {
		/* multiples of the golden ratio fill an interval evenly */
		uint64_t fraction = (i + 1) * UINT64_C(0x9e3779b97f4a7c15) >> 48;
		pages[i] =
			(void *)(uintptr_t)(range.start + i * stripe + (stripe >> 16) * fraction);
	}
	sys->resident(pages, samples, resident);
	for (unsigned int i = 0; i < samples; i++) {
		if (resident[i])
			continue;
		if (!count++)
			cold->start = range.start + i * stripe;
		cold->end = i + 1 < samples ? range.start + (i + 1) * stripe : range.end;
	}
	return count;
}

/* The next piece of a part. */
static bool take(struct work *work, struct part *part, struct span *out)
{
	uint64_t start = atomic_fetch_add_explicit(&part->next, work->piece, memory_order_relaxed);
	if (start >= part->end)
		return false;
	uint64_t end = start + work->piece;
	out->start = start > work->range.start ? start : work->range.start;
	out->end = end < part->end ? end : part->end;
	return true;
}

/* 0, also where there is nothing to do; or the -errno of touching. */
static int touch(const struct work *work, struct span piece)
{
	struct span cold;
	if (work->partly && !sample(work->sys, piece, PIECE_SAMPLES, &cold))
		return 0;
	return work->sys->populate((void *)(uintptr_t)piece.start, piece.end - piece.start,
				   work->how->write);
}

/* 0, or -ECANCELED. */
static int report(struct work *work, uint64_t done)
{
	const struct pinreg_populate *how = work->how;
	if (!how->progress)
		return 0;
	work->reported = done;
	return how->progress(how->context, done, work->range.end - work->range.start) ? -ECANCELED
										      : 0;
}

static int report_on_the_way(struct work *work)
{
	uint64_t done = atomic_load_explicit(&work->done, memory_order_relaxed);
	bool last = done == work->range.end - work->range.start;
	return last || done - work->reported < REPORT_EVERY ? 0 : report(work, done);
}

/* Touch what is left, one's own part first. 0, or -ECANCELED. */
static int work_as(struct work *work, unsigned int index)
{
	for (unsigned int i = 0; i < work->threads; i++) {
		struct part *part = &work->parts[(index + i) % work->threads];
		struct span piece;
		while (!atomic_load_explicit(&work->stop, memory_order_relaxed) &&
		       take(work, part, &piece)) {
			int status = 0;
			if (touch(work, piece)) {
				/* the registration will meet the same and say it */
				atomic_store_explicit(&work->stop, true, memory_order_relaxed);
				return 0;
			}
			atomic_fetch_add_explicit(&work->done, piece.end - piece.start,
						  memory_order_relaxed);
			if (index == 0)
				status = report_on_the_way(work);
			if (status) {
				atomic_store_explicit(&work->stop, true, memory_order_relaxed);
				return status;
			}
		}
	}
	return 0;
}

/* The node for a thread when the threads are spread over all CPUs evenly. */
static const cpu_set_t *node_of(const struct work *work, unsigned int index)
{
	unsigned int cpu = index * work->cpus.count / work->threads;
	unsigned int node = 0;
	for (; node + 1 < work->cpus.nodes; node++) {
		unsigned int count = (unsigned int)CPU_COUNT(&work->cpus.of_node[node]);
		if (cpu < count)
			break;
		cpu -= count;
	}
	return &work->cpus.of_node[node];
}

static void *run(void *argument)
{
	struct worker *worker = argument;
	struct work *work = worker->work;
	/* where it is refused the work is done all the same, only elsewhere */
	if (work->cpus.nodes > 1)
		work->sys->run_on(node_of(work, worker->index));
	work_as(work, worker->index);
	return NULL;
}

/* Start threads 1 .. threads - 1. How many there are now. */
static unsigned int start_workers(struct work *work, struct worker *workers)
{
	sigset_t all, before;
	unsigned int started = 0;
	/* the application's signals are for its own threads */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (started + 1 < work->threads) {
		struct worker *worker = &workers[started];
		*worker = (struct worker){ .work = work, .index = started + 1 };
		/* without it the others do its part */
		if (pthread_create(&worker->thread, NULL, run, worker))
			break;
		started++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return started;
}

/* How many threads it pays to have. */
static unsigned int threads_worth(struct work *work, uint64_t pieces)
{
	uint64_t worth = (work->range.end - work->range.start) / THREAD_LEAST;
	unsigned int limit = work->how->threads ? work->how->threads : THREADS_MAX;
	if (worth > pieces)
		worth = pieces;
	if (worth < limit)
		limit = (unsigned int)worth;
	if (limit < 2)
		return 1; /* and nobody needs to know the CPUs */
	work->sys->cpus(&work->cpus);
	if (limit > work->cpus.count)
		limit = work->cpus.count;
	return limit < THREADS_MAX ? limit : THREADS_MAX;
}

/* Parts of whole pieces, as even as that goes. */
static void divide(struct work *work)
{
	uint64_t first = work->range.start / work->piece;
	uint64_t count = (work->range.end - 1) / work->piece + 1 - first;
	unsigned int threads = threads_worth(work, count);
	work->threads = threads;
	for (unsigned int i = 0; i < threads; i++) {
		uint64_t end = (first + count * (i + 1) / threads) * work->piece;
		atomic_init(&work->parts[i].next, (first + count * i / threads) * work->piece);
		work->parts[i].end = end < work->range.end ? end : work->range.end;
	}
}

/* Ask for huge pages in the cold, where that makes a difference. */
static void prepare_huge(struct work *work, struct span cold)
{
	uint64_t huge = work->huge;
	if (!huge)
		return;
	if (huge > work->piece)
		work->piece = huge;
	uint64_t start = (cold.start + huge - 1) / huge * huge;
	uint64_t end = cold.end / huge * huge;
	/* refused or not known: then it is pages of the usual size */
	if (work->ask_huge && start < end)
		work->sys->advise_huge((void *)(uintptr_t)start, end - start);
}

/*
 * Reading gives private memory the page of zeros, everywhere the same one, for
 * which the pin has to put real pages again: one after the other as without us.
 */
static bool never_gains(const struct pinreg_populate *how)
{
	return how->huge && !how->write;
}

int pinreg_populate_range(struct pinreg_device *device, void *addr, uint64_t length,
			  const struct pinreg_populate *how)
{
	struct span range = { .start = (uintptr_t)addr, .end = (uintptr_t)addr + length };
	struct span cold;
	if (length < PINREG_POPULATE_SMALLEST || never_gains(how))
		return 0;
	uint64_t samples = length / SAMPLE_EVERY;
	samples = samples < 1 ? 1 : samples > SAMPLES_MAX ? SAMPLES_MAX : samples;
	unsigned int found = sample(device->sys, range, (unsigned int)samples, &cold);
	if (!found)
		return 0;

	struct work work = {
		.sys = device->sys,
		.how = how,
		.range = range,
		.piece = PIECE,
		.huge = device->huge_size,
		.ask_huge = device->huge_ask,
		.partly = found < samples,
	};
	struct worker workers[THREADS_MAX - 1];
	if (how->huge)
		prepare_huge(&work, cold);
	divide(&work);
	unsigned int started = start_workers(&work, workers);
	int status = work_as(&work, 0);
	for (unsigned int i = 0; i < started; i++)
		pthread_join(workers[i].thread, NULL);
	if (!status && !atomic_load(&work.stop))
		status = report(&work, length);
	return status;
}
