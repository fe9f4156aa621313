/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crew.h -- one long piece of work, done by several threads.
 *
 * The range is divided into as many parts as there are threads, each contiguous,
 * so that what a thread touches first lies on its NUMA node. Who is done with his
 * own part helps with the others, a piece at a time.
 */
#ifndef PINREG_CREW_CREW_H
#define PINREG_CREW_CREW_H

#include <stdint.h>

#include <pinreg/plan.h>

#include "sys/sys.h"

/* What a thread takes at once: some huge pages, so that no two share one. */
#define PINREG_CREW_PIECE ((uint64_t)4 << 20)

struct pinreg_crew {
	const struct pinreg_sys *sys;
	uint64_t start; /* of the range: addresses, or offsets in a file */
	uint64_t end;
	uint64_t piece;	      /* bytes; pieces begin at multiples of it */
	uint64_t load;	      /* bytes of the range that are work; the sum of what work() gives */
	unsigned int threads; /* at most; 0: the CPUs that this thread may run on */
	/* any thread: do a piece. The bytes of it that were work, or -errno: all end */
	int64_t (*work)(void *context, uint64_t start, uint64_t end);
	/* NULL, or the calling thread, after each of its pieces: 0, or -errno: all end */
	int (*asked)(void *context);
	void *context;
	/* NULL, or the calling thread, now and then and at the end of all */
	pinreg_progress_function *progress;
	void *progress_context;
};

/*
 * Do it all. 0, -ECANCELED as progress() asked, or the first -errno of work() or
 * asked(). Where it is not 0, some pieces were done and some not, and none is under
 * way any more. ASSUMPTIONS: start < end, load > 0.
 */
int pinreg_crew_run(const struct pinreg_crew *crew);

#endif
