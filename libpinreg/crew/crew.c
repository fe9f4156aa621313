/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crew.c -- threads that share a range: parts, pieces, nodes, progress, an end
 * before the end.
 */
#include "crew/crew.h"

#include <errno.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/thread.h"

#define THREADS_MAX 64

/* For less than this it does not pay to start another thread. */
#define THREAD_LEAST (8u << 20)

#define REPORT_EVERY (32u << 20)

/* In a cache line of its own: its thread writes to it for each piece. */
struct part {
	alignas(64) _Atomic uint64_t next;
	uint64_t end;
};

struct shift {
	const struct pinreg_crew *crew;
	unsigned int threads; /* as many as parts */
	_Atomic uint64_t done;
	atomic_int status; /* not 0: stop */
	uint64_t reported;
	struct pinreg_cpus cpus;
	struct part parts[THREADS_MAX];
};

struct worker {
	struct shift *shift;
	unsigned int index;
	pthread_t thread;
};

/* The first one counts. */
static void end_with(struct shift *shift, int status)
{
	int none = 0;
	atomic_compare_exchange_strong(&shift->status, &none, status);
}

/* The next piece of a part. */
static bool take(struct shift *shift, struct part *part, uint64_t *start, uint64_t *end)
{
	const struct pinreg_crew *crew = shift->crew;
	uint64_t at = atomic_fetch_add_explicit(&part->next, crew->piece, memory_order_relaxed);
	if (at >= part->end)
		return false;
	*start = at > crew->start ? at : crew->start;
	*end = at + crew->piece < part->end ? at + crew->piece : part->end;
	return true;
}

/* 0, or -ECANCELED. */
static int report(struct shift *shift, uint64_t done)
{
	const struct pinreg_crew *crew = shift->crew;
	if (!crew->progress)
		return 0;
	shift->reported = done;
	return crew->progress(crew->progress_context, done, crew->load) ? -ECANCELED : 0;
}

/* What the calling thread does after each of its pieces. */
static int look_up(struct shift *shift)
{
	const struct pinreg_crew *crew = shift->crew;
	int status = crew->asked ? crew->asked(crew->context) : 0;
	if (status)
		return status;
	uint64_t done = atomic_load_explicit(&shift->done, memory_order_relaxed);
	bool last = done == crew->load;
	return last || done - shift->reported < REPORT_EVERY ? 0 : report(shift, done);
}

/* Do what is left, one's own part first. */
static void work_as(struct shift *shift, unsigned int index)
{
	const struct pinreg_crew *crew = shift->crew;
	for (unsigned int i = 0; i < shift->threads; i++) {
		struct part *part = &shift->parts[(index + i) % shift->threads];
		uint64_t start, end;
		while (!atomic_load_explicit(&shift->status, memory_order_relaxed) &&
		       take(shift, part, &start, &end)) {
			int64_t done = crew->work(crew->context, start, end);
			int status = done < 0 ? (int)done : 0;
			if (!status)
				atomic_fetch_add_explicit(&shift->done, (uint64_t)done,
							  memory_order_relaxed);
			if (!status && index == 0)
				status = look_up(shift);
			if (status)
				end_with(shift, status);
		}
	}
}

/* The node for a thread when the threads are spread over all CPUs evenly. */
static const cpu_set_t *node_of(const struct shift *shift, unsigned int index)
{
	unsigned int cpu = index * shift->cpus.count / shift->threads;
	unsigned int node = 0;
	for (; node + 1 < shift->cpus.nodes; node++) {
		unsigned int count = (unsigned int)CPU_COUNT(&shift->cpus.of_node[node]);
		if (cpu < count)
			break;
		cpu -= count;
	}
	return &shift->cpus.of_node[node];
}

static void *run(void *argument)
{
	struct worker *worker = argument;
	struct shift *shift = worker->shift;
	/* where it is refused the work is done all the same, only elsewhere */
	if (shift->cpus.nodes > 1)
		shift->crew->sys->run_on(node_of(shift, worker->index));
	work_as(shift, worker->index);
	return NULL;
}

/* Start threads 1 .. threads - 1. How many there are now. */
static unsigned int start_workers(struct shift *shift, struct worker *workers)
{
	unsigned int started = 0;
	while (started + 1 < shift->threads) {
		struct worker *worker = &workers[started];
		*worker = (struct worker){ .shift = shift, .index = started + 1 };
		/* without it the others do its part */
		if (pinreg_thread_start(&worker->thread, NULL, run, worker))
			break;
		started++;
	}
	return started;
}

/* How many threads it pays to have. */
static unsigned int threads_worth(struct shift *shift, uint64_t pieces)
{
	const struct pinreg_crew *crew = shift->crew;
	uint64_t worth = crew->load / THREAD_LEAST;
	unsigned int limit = crew->threads ? crew->threads : THREADS_MAX;
	if (worth > pieces)
		worth = pieces;
	if (worth < limit)
		limit = (unsigned int)worth;
	if (limit < 2)
		return 1; /* and nobody needs to know the CPUs */
	crew->sys->cpus(&shift->cpus);
	if (limit > shift->cpus.count)
		limit = shift->cpus.count;
	return limit < THREADS_MAX ? limit : THREADS_MAX;
}

/* Parts of whole pieces, as even as that goes. */
static void divide(struct shift *shift)
{
	const struct pinreg_crew *crew = shift->crew;
	uint64_t first = crew->start / crew->piece;
	uint64_t count = (crew->end - 1) / crew->piece + 1 - first;
	unsigned int threads = threads_worth(shift, count);
	shift->threads = threads;
	for (unsigned int i = 0; i < threads; i++) {
		uint64_t end = (first + count * (i + 1) / threads) * crew->piece;
		atomic_init(&shift->parts[i].next, (first + count * i / threads) * crew->piece);
		shift->parts[i].end = end < crew->end ? end : crew->end;
	}
}

int pinreg_crew_run(const struct pinreg_crew *crew)
{
	struct shift shift = { .crew = crew };
	struct worker workers[THREADS_MAX - 1];
	divide(&shift);
	unsigned int started = start_workers(&shift, workers);
	work_as(&shift, 0);
	for (unsigned int i = 0; i < started; i++)
		pthread_join(workers[i].thread, NULL);
	int status = atomic_load(&shift.status);
	return status ? status : report(&shift, crew->load);
}
