/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trust_run.c -- moving data through an on-demand region.
 *
 * The port is connected to itself. One side of each transfer, the peer, is
 * pinned; the other, the target, is on-demand. Completions are not believed:
 * Soft-RoCE reports success for data that it put into the wrong place.
 */
#include "plan/trust_run.h"

#include <errno.h>
#include <string.h>

#include "plan/trust.h"
#include "plan/trust_atomic.h"
#include "plan/trust_side.h"

#define ACCESS (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)
#define LONGEST (64u << 10)
#define DEAD_LOOPS 3 /* each can take seconds to die */

/*
 * Which bytes are moved. Whole pages tell whether anything arrives, at less
 * than a page's MTU also whether packets after the first do. The others tell
 * of offsets, lengths and page borders. A cold target was never touched; the
 * warm ones share one that was filled.
 */
struct shape {
	int skip;	    /* from the start of the second page */
	unsigned int pages; /* length: this many pages ... */
	unsigned int bytes; /* ... and this many bytes */
	bool cold;
};

/* clang-format off */
static const struct shape shapes[] = {
	{ 0, 1, 0, false },
	{ 0, 2, 0, false },
	{ 0, 0, LONGEST, false },
	{ 0, 0, 1, false },
	{ 3, 0, 1, false },
	{ 100, 0, 64, false },
	{ -24, 0, 64, false },
	{ 1, 0, 4096, false },
	{ 77, 0, 12345, false },
	{ 4000, 0, 9001, false },
	{ 100, 0, LONGEST, false },
	{ 0, 2, 0, true },
	{ 100, 0, LONGEST, true },
};
/* clang-format on */

/* Who starts the transfer, and which way the data goes. */
enum way {
	WRITE_TO_TARGET,
	READ_FROM_TARGET,
	WRITE_FROM_TARGET, /* the target is the local side */
	READ_INTO_TARGET,
	WAYS,
};

struct run {
	struct pinreg_device *device;
	struct pinreg_loop *loop; /* NULL: none, or it died */
	unsigned int dead_loops;
	struct pinreg_trust_side peer;
	struct pinreg_trust_side target;
	unsigned int seed;
	uint64_t page;
	bool refused;	  /* the target could not be registered */
	bool wrong_pages; /* a transfer of whole pages was wrong */
	struct pinreg_trust_report report;
};

static uint64_t side_length(const struct run *run)
{
	/* a page before, the offset into the first, a page behind */
	return LONGEST + 3 * run->page;
}

static int target_open(struct run *run, void *memory, bool cold)
{
	int status = pinreg_trust_side_open(&run->target, run->device, memory, side_length(run),
					    ACCESS | IBV_ACCESS_ON_DEMAND);

	/* the kernel takes back what the device had claimed */
	run->refused = status == -EOPNOTSUPP || status == -EINVAL;
	if (!status && !cold)
		pinreg_trust_side_fill(&run->target, 0, run->target.length, run->seed++);
	return status;
}

static bool died(int status)
{
	return status == -EREMOTEIO || status == -ETIMEDOUT;
}

/* Move the same places from one side to the other. */
static int move(struct run *run, enum way way, uint64_t offset, uint32_t length)
{
	const struct pinreg_sys *sys = run->device->sys;
	bool target_is_local = way == WRITE_FROM_TARGET || way == READ_INTO_TARGET;
	bool write = way == WRITE_TO_TARGET || way == WRITE_FROM_TARGET;
	struct pinreg_trust_side *local = target_is_local ? &run->target : &run->peer;
	struct pinreg_trust_side *remote = target_is_local ? &run->peer : &run->target;

	return (write ? sys->loop_write : sys->loop_read)(
		run->loop, local->mr, (uintptr_t)local->memory + offset, remote->mr->rkey,
		(uintptr_t)remote->memory + offset, length);
}

static void count(struct run *run, const struct shape *shape, uint32_t length, uint64_t wrong)
{
	struct pinreg_trust_report *report = &run->report;

	report->cases_wrong++;
	report->bytes_wrong += wrong;
	if (!shape->skip && !(length % run->page))
		run->wrong_pages = true;
	if (report->first_wrong_length)
		return;
	report->first_wrong_offset = (run->page + (uint64_t)shape->skip) % run->page;
	report->first_wrong_length = length;
}

/* Make a connection, and a target that is as the shape wants it. */
static int trial_prepare(struct run *run, const struct shape *shape)
{
	int status = 0;

	if (!run->loop)
		status =
			run->device->sys->loop_open(run->device->pd, run->device->port, &run->loop);
	if (status || !shape->cold)
		return status;
	pinreg_trust_side_close(&run->target);
	return target_open(run, NULL, true);
}

/* One transfer. 0 also where it went wrong; -errno where it could not be made. */
static int trial(struct run *run, const struct shape *shape, enum way way)
{
	uint64_t offset = run->page + (uint64_t)shape->skip;
	uint32_t length = (uint32_t)(shape->pages * run->page + shape->bytes);
	bool outward = way == READ_FROM_TARGET || way == WRITE_FROM_TARGET;
	struct pinreg_trust_side *from = outward ? &run->target : &run->peer;
	struct pinreg_trust_side *to = outward ? &run->peer : &run->target;
	int status = trial_prepare(run, shape);

	if (status)
		return status;
	/* a cold source has its zeros: they must not be there already */
	pinreg_trust_side_fill(shape->cold && outward ? to : from, offset, length, run->seed++);
	memcpy(to->image + offset, from->image + offset, length);
	status = move(run, way, offset, length);
	if (status && !died(status))
		return status;
	if (status) {
		/* before the memory is looked at: it may still be written to */
		run->device->sys->loop_close(run->loop);
		run->loop = NULL;
		run->dead_loops++;
	}
	run->report.cases++;
	run->report.bytes += length;

	uint64_t wrong = pinreg_trust_side_settle(to) + pinreg_trust_side_settle(from);
	if (wrong || status)
		count(run, shape, length, wrong);
	return 0;
}

/*
 * Is there a connection that carries data at all? From one half of the pinned
 * side to the other and back. Else everything that follows would be blamed on
 * on-demand paging.
 */
static int control(struct run *run)
{
	const struct pinreg_sys *sys = run->device->sys;
	struct pinreg_trust_side *peer = &run->peer;
	uint64_t upper = peer->length / 2 + 33;
	uint32_t length = (uint32_t)(peer->length / 2 - 100);
	uint64_t addr = (uintptr_t)peer->memory;

	pinreg_trust_side_fill(peer, 0, peer->length, run->seed++);
	memcpy(peer->image + upper, peer->image, length);
	int status =
		sys->loop_write(run->loop, peer->mr, addr, peer->mr->rkey, addr + upper, length);
	if (!status && pinreg_trust_side_settle(peer))
		return -EIO;
	if (status)
		return status;
	pinreg_trust_side_fill(peer, upper, length, run->seed++);
	memcpy(peer->image, peer->image + upper, length);
	status = sys->loop_read(run->loop, peer->mr, addr, peer->mr->rkey, addr + upper, length);
	if (!status && pinreg_trust_side_settle(peer))
		return -EIO;
	return status;
}

static int trials(struct run *run)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		/* the caller's memory cannot be made cold again */
		if (shapes[i].cold && run->target.borrowed)
			continue;
		for (enum way way = 0; way < WAYS; way++) {
			int status = trial(run, &shapes[i], way);

			if (status)
				return status;
			if (run->dead_loops == DEAD_LOOPS)
				return 0;
		}
	}
	return 0;
}

static enum pinreg_trust verdict(const struct run *run)
{
	if (run->refused || run->wrong_pages || run->dead_loops)
		return PINREG_TRUST_NONE;
	return run->report.cases_wrong ? PINREG_TRUST_PAGE : PINREG_TRUST_FULL;
}

/* Atomics on a target that allows them. A device may claim them and refuse that. */
static int atomics(struct run *run, void *memory)
{
	const struct pinreg_device *device = run->device;
	int status;

	if (!device->atomics || !(device->odp_rc & IBV_ODP_SUPPORT_ATOMIC))
		return 0;
	pinreg_trust_side_close(&run->target);
	status = pinreg_trust_side_open(&run->target, run->device, memory, side_length(run),
					ACCESS | IBV_ACCESS_REMOTE_ATOMIC | IBV_ACCESS_ON_DEMAND);
	if (status == -EOPNOTSUPP || status == -EINVAL)
		return 0;
	if (status)
		return status;
	pinreg_trust_side_fill(&run->target, 0, run->target.length, run->seed++);
	return pinreg_trust_atomics(run->loop, &run->peer, &run->target, run->page, &run->report);
}

static int run_all(struct run *run, void *memory)
{
	const struct pinreg_sys *sys = run->device->sys;
	int status = sys->loop_open(run->device->pd, run->device->port, &run->loop);

	if (!status)
		status = pinreg_trust_side_open(&run->peer, run->device, NULL, side_length(run),
						ACCESS);
	if (!status)
		status = control(run);
	if (status)
		return status;
	status = target_open(run, memory, false);
	if (!status)
		status = trials(run);
	run->report.trust = verdict(run);
	if (!status && run->report.trust != PINREG_TRUST_NONE)
		status = atomics(run, memory);
	return run->refused ? 0 : status;
}

int pinreg_trust_run(struct pinreg_device *device, void *memory, unsigned int mtu,
		     struct pinreg_trust_report *out)
{
	struct run run = {
		.device = device,
		.page = device->sys->page_size(),
		.report = { .size = sizeof(run.report), .mtu = mtu },
	};
	int status;

	_Static_assert(sizeof(shapes) / sizeof(shapes[0]) * WAYS + 4 <= PINREG_TRUST_SEEDS,
		       "two transfers would look alike");
	if (side_length(&run) > PINREG_TRUST_ROOM)
		return -EOPNOTSUPP;
	status = run_all(&run, memory);
	/* the connection first: until then the device may reach the memory */
	if (run.loop)
		device->sys->loop_close(run.loop);
	pinreg_trust_side_close(&run.target);
	pinreg_trust_side_close(&run.peer);
	if (!status)
		*out = run.report;
	return status;
}
