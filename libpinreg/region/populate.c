/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * populate.c -- touching cold memory in parallel before the kernel pins it: is it
 * cold, and what is asked of the kernel for it. The threads are a crew.
 */
#include "region/populate.h"

#include <errno.h>

#include "crew/crew.h"

/* Looked at in the whole range, and in a piece of one that is partly warm. */
#define SAMPLE_EVERY (4u << 20)
#define SAMPLES_MAX 16u
#define PIECE_SAMPLES 4u

struct span {
	uint64_t start;
	uint64_t end;
};

struct work {
	const struct pinreg_device *device;
	const struct pinreg_populate *how;
	bool partly; /* some of it is warm: look before touching */
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

/* One piece, also where there is nothing to do: its length, or the -errno of touching. */
static int64_t touch(void *context, uint64_t start, uint64_t end)
{
	const struct work *work = context;
	const struct pinreg_sys *sys = work->device->sys;
	struct span piece = { .start = start, .end = end };
	struct span cold;
	int64_t length = (int64_t)(end - start);
	if (work->partly && !sample(sys, piece, PIECE_SAMPLES, &cold))
		return length;
	int status = sys->populate((void *)(uintptr_t)start, end - start, work->how->write);
	return status ? status : length;
}

/* Ask for huge pages in the cold, where that makes a difference. The size of pieces. */
static uint64_t prepare_huge(const struct pinreg_device *device, struct span cold)
{
	uint64_t huge = device->huge_size;
	if (!huge)
		return PINREG_CREW_PIECE;
	uint64_t start = (cold.start + huge - 1) / huge * huge;
	uint64_t end = cold.end / huge * huge;
	/* refused or not known: then it is pages of the usual size */
	if (device->huge_ask && start < end)
		device->sys->advise_huge((void *)(uintptr_t)start, end - start);
	return huge > PINREG_CREW_PIECE ? huge : PINREG_CREW_PIECE;
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

	struct work work = { .device = device, .how = how, .partly = found < samples };
	struct pinreg_crew crew = {
		.sys = device->sys,
		.start = range.start,
		.end = range.end,
		.piece = how->huge ? prepare_huge(device, cold) : PINREG_CREW_PIECE,
		.load = length,
		.threads = how->threads,
		.work = touch,
		.context = &work,
		.progress = how->progress,
		.progress_context = how->context,
	};
	/* what cannot be touched the registration will meet too, and say it */
	return pinreg_crew_run(&crew) == -ECANCELED ? -ECANCELED : 0;
}
