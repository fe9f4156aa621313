/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trust_atomic.c -- atomic operations on an on-demand region.
 *
 * Each changes eight bytes of the target and brings what was there before to
 * the peer. Both are compared, and so is everything around them.
 */
#include "plan/trust_atomic.h"

#include <errno.h>
#include <string.h>

#define OPERAND UINT64_C(0x9e3779b97f4a7c15)

/* Offsets are from the start of a page of the target; all are multiples of 8. */
static const struct place {
	unsigned int page;
	int offset;
} places[] = { { 1, 0 }, { 1, 8 }, { 1, 264 }, { 2, -8 }, { 2, 2048 }, { 4, -8 } };

enum operation {
	ADD,
	SWAP,
	KEEP, /* a compare-and-swap that finds something else, and must not swap */
	OPERATIONS,
};

struct atomics {
	struct pinreg_loop *loop;
	struct pinreg_trust_side *peer;
	struct pinreg_trust_side *target;
	struct pinreg_trust_report *report;
};

static int operate(struct atomics *on, enum operation operation, uint64_t place, uint64_t before)
{
	const struct pinreg_sys *sys = on->target->device->sys;
	uint64_t local = (uintptr_t)on->peer->memory;
	uint64_t remote = (uintptr_t)on->target->memory + place;
	uint32_t rkey = on->target->mr->rkey;

	if (operation == ADD)
		return sys->loop_fetch_add(on->loop, on->peer->mr, local, rkey, remote, OPERAND);
	return sys->loop_compare_swap(on->loop, on->peer->mr, local, rkey, remote,
				      operation == SWAP ? before : ~before, before ^ OPERAND);
}

static uint64_t expected(enum operation operation, uint64_t before)
{
	if (operation == ADD)
		return before + OPERAND;
	return operation == SWAP ? before ^ OPERAND : before;
}

/* One operation. 0 also where it went wrong; -errno where it could not be made. */
static int trial(struct atomics *on, enum operation operation, uint64_t place)
{
	uint64_t before, after, other;

	memcpy(&before, on->target->image + place, sizeof(before));
	after = expected(operation, before);
	other = ~before; /* the answer must not be there already */
	memcpy(on->peer->memory, &other, sizeof(other));
	memcpy(on->peer->image, &before, sizeof(before));
	memcpy(on->target->image + place, &after, sizeof(after));

	int status = operate(on, operation, place, before);
	bool died = status == -EREMOTEIO || status == -ETIMEDOUT;

	if (status && !died)
		return status;
	on->report->atomics++;
	/* of a dead loop the memory may still be written to: nothing is compared */
	if (died || pinreg_trust_side_settle(on->target) + pinreg_trust_side_settle(on->peer))
		on->report->atomics_wrong++;
	return died ? -EREMOTEIO : 0;
}

/* Memory that is not a file's comes back as zeros. */
static int drop(struct pinreg_trust_side *target)
{
	int status = target->device->sys->drop(target->memory, target->length);

	if (!status && !target->borrowed)
		memset(target->image, 0, target->length);
	return status;
}

static int round_of(struct atomics *on, uint64_t page, bool dropped)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		uint64_t place = places[i].page * page + (uint64_t)places[i].offset;

		for (enum operation operation = 0; operation < OPERATIONS; operation++) {
			/* what is locked cannot be dropped, by nobody: then no peer meets it */
			int status = dropped ? drop(on->target) : 0;

			if (status)
				return status == -EINVAL ? 0 : status;
			status = trial(on, operation, place);
			if (status)
				return status;
		}
	}
	return 0;
}

int pinreg_trust_atomics(struct pinreg_loop *loop, struct pinreg_trust_side *peer,
			 struct pinreg_trust_side *target, uint64_t page,
			 struct pinreg_trust_report *report)
{
	struct atomics on = { .loop = loop, .peer = peer, .target = target, .report = report };
	int status = round_of(&on, page, false);

	if (!status)
		status = round_of(&on, page, true);
	return status == -EREMOTEIO ? 0 : status;
}

bool pinreg_trust_has_atomics(const struct pinreg_trust_report *report)
{
	if (!report->cases)
		return report->trust == PINREG_TRUST_FULL;
	return report->atomics && !report->atomics_wrong;
}
