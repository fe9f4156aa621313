/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * export.c -- the descriptor of a region.
 */
#include <errno.h>

#include <pinreg/descriptor.h>

#include "base/opts.h"
#include "plan/policy.h"
#include "region/window.h"

static unsigned int remote_access(unsigned int access)
{
	static const struct {
		unsigned int verbs;
		unsigned int remote;
	} bits[] = {
		{ IBV_ACCESS_REMOTE_WRITE, PINREG_REMOTE_WRITE },
		{ IBV_ACCESS_REMOTE_READ, PINREG_REMOTE_READ },
		{ IBV_ACCESS_REMOTE_ATOMIC, PINREG_REMOTE_ATOMIC },
		{ PINREG_ACCESS_FLUSH_GLOBAL, PINREG_REMOTE_FLUSH_GLOBAL },
		{ PINREG_ACCESS_FLUSH_PERSISTENT, PINREG_REMOTE_FLUSH_PERSISTENT },
	};
	unsigned int remote = 0;
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if (access & bits[i].verbs)
			remote |= bits[i].remote;
	return remote;
}

/* All but the key and its generation, with these rights. 0, -EPERM or -EACCES. */
static int describe_place(const struct pinreg_region *region, unsigned int access,
			  struct pinreg_descriptor *out)
{
	const struct pinreg_plan *plan = &region->facts->decision.plan;
	if (pinreg_device_inherited(region->facts->device))
		return -EPERM;
	*out = (struct pinreg_descriptor){
		.size = sizeof(*out),
		.method = plan->method,
		.granularity = plan->granularity,
		.access = remote_access(access),
		.id = pinreg_region_id(region),
		.addr = region->addr,
		.length = region->length,
		.mtu = plan->method == PINREG_METHOD_ODP ? plan->why.mtu : 0,
	};
	return out->access ? 0 : -EACCES;
}

static void write_with_keys(struct pinreg_descriptor *it, const struct pinreg_keys *keys,
			    struct pinreg_descriptor *out)
{
	it->addr = keys->addr;
	it->length = keys->length;
	it->generation = keys->generation;
	it->rkey = keys->rkey;
	pinreg_info_write(out, it, sizeof(*it));
}

int pinreg_region_describe(struct pinreg_region *region, struct pinreg_descriptor *out)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	struct pinreg_descriptor it;
	if (!region || pinreg_info_check(out, offsetof(struct pinreg_descriptor, mtu)))
		return -EINVAL;
	int status = describe_place(region, region->facts->decision.plan.access, &it);
	if (!status)
		status = pinreg_region_keys(region, &keys);
	if (!status)
		write_with_keys(&it, &keys, out);
	return status;
}

int pinreg_window_describe(struct pinreg_window *window, struct pinreg_descriptor *out)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	struct pinreg_descriptor it;
	if (!window || pinreg_info_check(out, offsetof(struct pinreg_descriptor, mtu)))
		return -EINVAL;
	int status = describe_place(&window->region->core, window->access, &it);
	if (!status)
		status = pinreg_window_keys(window, &keys);
	if (!status)
		write_with_keys(&it, &keys, out);
	return status;
}

int pinreg_region_export(struct pinreg_region *region, void *out, size_t room)
{
	struct pinreg_descriptor it = { .size = sizeof(it) };
	int status = pinreg_region_describe(region, &it);
	return status ? status : pinreg_descriptor_export(&it, out, room);
}

int pinreg_region_export_revoked(struct pinreg_region *region, uint64_t generation,
				 unsigned int gone, void *out, size_t room)
{
	struct pinreg_descriptor it;
	if (!region)
		return -EINVAL;
	const struct pinreg_decision *decision = &region->facts->decision;
	int status = describe_place(region, decision->plan.access | decision->window_access, &it);
	if (status)
		return status;
	if (generation > pinreg_set_generation(region->facts->set))
		return -EINVAL;
	it.generation = generation;
	it.flags = PINREG_DESCRIPTOR_REVOKED | (gone ? PINREG_DESCRIPTOR_GONE : 0);
	return pinreg_descriptor_export(&it, out, room);
}
