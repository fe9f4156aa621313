/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attach.c -- carrying a plan out: from memory to a live registration, and back.
 */
#include <errno.h>

#include "base/why.h"
#include "region/pieces.h"
#include "region/populate.h"
#include "region/region.h"

/* What is registered for the region: its memory, or the shadow of it. */
static void *registered(const struct pinreg_whole_region *region)
{
	if (region->shadow)
		return region->shadow->memory;
	return (void *)(uintptr_t)region->own.decision.plan.addr;
}

uint64_t pinreg_region_iova(const struct pinreg_whole_region *region)
{
	const struct pinreg_plan *plan = &region->own.decision.plan;
	return plan->iova ? plan->iova : (uintptr_t)registered(region);
}

/* The kernel said ENOMEM: which of the limits was it? Look, and say. */
static void explain_no_memory(struct pinreg_whole_region *region, struct pinreg_why *why)
{
	struct pinreg_device *device = region->own.device;
	struct pinreg_memlock lock;
	uint64_t wanted = region->own.decision.plan.pin_bytes;
	uint64_t used, limit;
	if (wanted && !device->sys->memlock(&lock) && lock.limit != UINT64_MAX &&
	    (lock.used > lock.limit || wanted > lock.limit - lock.used)) {
		why->reason = PINREG_REASON_MEMLOCK;
		why->used = lock.used;
		why->limit = lock.limit;
		why->wanted = wanted;
	} else if (!device->sys->mr_count(device->pd->context, &used) && used >= device->max_mr) {
		why->reason = PINREG_REASON_MKEYS;
		why->used = used;
		why->limit = device->max_mr;
	} else if (!device->sys->map_count(&used, &limit) && used >= limit) {
		why->reason = PINREG_REASON_MAP_COUNT;
		why->used = used;
		why->limit = limit;
	}
}

static int refused_by_kernel(struct pinreg_whole_region *region, struct pinreg_why *why, int status)
{
	struct pinreg_why unheard;
	if (!why)
		why = &unheard;
	pinreg_why_call(why, PINREG_REASON_VERBS, "ibv_reg_mr", status);
	why->addr = region->own.decision.plan.addr;
	why->length = region->own.decision.plan.length;
	if (region->own.decision.plan.method == PINREG_METHOD_DMABUF && status == -EOPNOTSUPP)
		why->reason = PINREG_REASON_DMABUF_MISSING;
	if (status == -ENOMEM)
		explain_no_memory(region, why);
	return status;
}

static int register_range(struct pinreg_whole_region *region, struct ibv_mr **out)
{
	const struct pinreg_plan *plan = &region->own.decision.plan;
	struct pinreg_device *device = region->own.device;
	if (plan->method == PINREG_METHOD_DMABUF)
		return device->sys->mr_register_dmabuf(device->pd, region->dmabuf, plan->addr,
						       plan->length, plan->iova, plan->access, out);
	return device->sys->mr_register(device->pd, registered(region), plan->length,
					pinreg_region_iova(region), plan->access, out);
}

struct fetched {
	struct pinreg_whole_region *region;
	struct ibv_mr *mr;
};

static int prefetch_piece(void *context, uint64_t offset, uint64_t length, struct pinreg_why *why)
{
	const struct fetched *fetched = context;
	const struct pinreg_plan *plan = &fetched->region->own.decision.plan;
	const struct pinreg_sys *sys = fetched->region->own.device->sys;
	void *addr = (char *)(uintptr_t)plan->addr + offset;
	bool write = plan->access & IBV_ACCESS_LOCAL_WRITE;
	(void)why;
	sys->populate(addr, length, write);
	/* only a hint: providers without it say EOPNOTSUPP */
	sys->mr_prefetch(fetched->mr, addr, length, write);
	return 0;
}

/*
 * ODP: have the pages at hand before the first packet asks for them. Registered
 * it is already; where this has to stop, pages come later.
 */
static void prefetch(struct pinreg_whole_region *region, struct ibv_mr *mr,
		     const struct pinreg_stop *stop)
{
	struct fetched fetched = { .region = region, .mr = mr };
	pinreg_pieces_do(prefetch_piece, &fetched, 0, region->own.decision.plan.length, stop, NULL);
}

/*
 * Guard pages, and what was cut off a moment ago, are in no map: the kernel is
 * asked to touch first, whose answer is an error and no signal.
 */
static int fill_piece(void *context, uint64_t offset, uint64_t length, struct pinreg_why *why)
{
	struct pinreg_whole_region *region = context;
	void *addr = (char *)(uintptr_t)region->own.decision.plan.addr + offset;
	int status = region->own.device->sys->populate(addr, length, false);
	if (status == -EFAULT || status == -ENOMEM || status == -EHWPOISON)
		return pinreg_why_call(why, PINREG_REASON_VERBS, "reading the memory", status);
	pinreg_shadow_from_home(region->shadow, offset, length);
	return 0;
}

/*
 * Into the shadow what is there now: peers shall read it, also after a return
 * from a fence. It is not registered before all of it is there, and not where
 * somebody waits: that call cannot be cut.
 */
static int fill_shadow(struct pinreg_whole_region *region, const struct pinreg_stop *stop,
		       struct pinreg_why *why)
{
	int status = pinreg_pieces_do(fill_piece, region, 0, region->own.decision.plan.length, stop,
				      why);
	return status ? status : pinreg_stop_asked(stop, why);
}

int pinreg_region_attach(struct pinreg_whole_region *region, const struct pinreg_stop *stop,
			 struct ibv_mr **out, struct pinreg_why *why)
{
	const struct pinreg_plan *plan = &region->own.decision.plan;
	struct pinreg_device *device = region->own.device;
	int status = pinreg_device_pin(device, plan->pin_bytes);
	if (status) {
		pinreg_why_set(why, PINREG_REASON_BUDGET, status);
		if (why) {
			why->wanted = plan->pin_bytes;
			why->used = atomic_load(&device->pinned);
			why->limit = device->pin_budget;
		}
		return status;
	}
	if (region->shadow)
		status = fill_shadow(region, stop, why);
	if (!status) {
		status = register_range(region, out);
		if (status)
			refused_by_kernel(region, why, status);
	}
	if (status) {
		pinreg_device_unpin(device, plan->pin_bytes);
		return status;
	}
	if (plan->method == PINREG_METHOD_ODP && region->own.decision.opts.prefetch)
		prefetch(region, *out, stop);
	return 0;
}

int pinreg_region_refill(struct pinreg_whole_region *region, const struct pinreg_stop *stop,
			 struct pinreg_why *why)
{
	if (region->shadow)
		return fill_shadow(region, stop, why);
	if (region->own.decision.opts.prefetch)
		prefetch(region, region->core.mr, stop);
	return 0;
}

int pinreg_region_detach(struct pinreg_region *region)
{
	struct pinreg_device *device = region->facts->device;
	int status = device->sys->mr_deregister(region->mr);
	/* the kernel has ended it with the device; a breaker must not wait for ever */
	if (pinreg_device_gone(device, status))
		status = 0;
	if (!status) {
		region->mr = NULL;
		pinreg_device_unpin(device, pinreg_region_pinned(region));
	}
	return status;
}

int pinreg_region_warm(struct pinreg_whole_region *region, struct pinreg_why *why)
{
	const struct pinreg_decision *decision = &region->own.decision;
	struct pinreg_populate how = {
		.write = decision->writable,
		.huge = decision->anonymous,
		.threads = decision->opts.threads,
		.progress = decision->opts.progress,
		.context = decision->opts.progress_context,
	};
	int status = 0;
	if (decision->plan.method == PINREG_METHOD_PIN && !decision->opts.no_populate)
		status = pinreg_populate_range(region->own.device, registered(region),
					       decision->plan.length, &how);
	else if (decision->plan.method == PINREG_METHOD_STAGED)
		status = pinreg_shadow_make(region->own.device, decision, &region->shadow);
	if (!status)
		return 0;
	pinreg_why_call(why, PINREG_REASON_VERBS, "touching the memory", status);
	if (status == -ENOMEM && why)
		explain_no_memory(region, why);
	return status;
}
