/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * outcome.c -- what registering really gave, beside what the plan said.
 */
#include "outcome.h"

#include <string.h>
#include <time.h>

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static int pinned(struct pinreg_domain *domain, uint64_t *out)
{
	struct pinreg_domain_info info = { .size = sizeof(info) };
	int ret = pinreg_domain_query(domain, &info);

	*out = info.pinned;
	return ret;
}

static int look(struct pinreg_domain *domain, struct pinreg_region *region, uint64_t pinned_before,
		struct outcome *out)
{
	int ret = pinreg_region_query(region, &out->info);

	if (!ret)
		ret = pinreg_region_keys(region, &out->keys);
	if (!ret)
		ret = pinned(domain, &out->pinned);
	out->pinned -= pinned_before;
	return ret;
}

static void compare(const struct pinreg_plan *plan, struct outcome *out)
{
	const char **differs = out->differs;
	bool refused = plan->method == PINREG_METHOD_REFUSE;

	if (refused != (out->error != 0)) {
		*differs = refused ? "registered, but the plan was a refusal"
				   : "refused, but the plan was to register";
		return;
	}
	if (plan->why.reason != out->why.reason)
		*differs++ = "another reason";
	if (refused) {
		if (plan->why.error != out->error)
			*differs++ = "another error";
		return;
	}
	if (plan->method != out->info.method)
		*differs++ = "another method";
	if (plan->access != out->info.access)
		*differs++ = "other access flags";
	if (plan->granularity != out->info.granularity)
		*differs++ = "another granularity";
	if (plan->length != out->keys.length)
		*differs++ = "another length";
	if (plan->iova && plan->iova != out->keys.addr)
		*differs++ = "another address for work requests";
	if (plan->pin_bytes != out->pinned)
		*differs++ = "another number of pinned bytes";
}

enum status outcome_make(struct pinreg_domain *domain, const struct memory *memory,
			 const struct pinreg_region_opts *opts, const struct pinreg_plan *plan,
			 struct outcome *out, struct failure *failure)
{
	struct pinreg_region *region;
	uint64_t before;
	double start;
	int ret;

	*out = (struct outcome){ .info.size = sizeof(out->info), .keys.size = sizeof(out->keys) };
	ret = pinned(domain, &before);
	if (ret)
		return fail(failure, STATUS_REFUSED, -ret, "cannot query the device: %s",
			    strerror(-ret));
	start = now();
	out->error = pinreg_region_register(domain, memory->addr, memory->length, opts, &out->why,
					    &region);
	out->milliseconds = now() - start;
	if (!out->error) {
		ret = look(domain, region, before, out);
		if (ret)
			fail(failure, STATUS_DIFFERS, -ret, "cannot look at the region: %s",
			     strerror(-ret));

		int gone = pinreg_region_deregister(region);

		if (gone && !ret)
			fail(failure, STATUS_DIFFERS, -gone, "cannot deregister: %s",
			     strerror(-gone));
		if (ret || gone)
			return STATUS_DIFFERS;
	}
	compare(plan, out);
	return STATUS_GOOD;
}
