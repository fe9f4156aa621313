/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * enter.c -- being inside of a region: work that uses its keys.
 */
#include <errno.h>

#include "base/opts.h"
#include "region/inside.h"
#include "region/region.h"

/*
 * Between the two looks at the gate a whole fence and return may pass, where the
 * caller sleeps longer than his time: then he is inside of what came back. 0,
 * -EAGAIN where it is shut, -ESTALE where the region has no keys.
 */
static int read_inside(const struct pinreg_whole_region *region, struct pinreg_keys *out)
{
	struct pinreg_keys now;
	uint64_t gate, generation;
	do {
		gate = pinreg_inside_gate(region->inside);
		if (pinreg_inside_is_shut(gate))
			return -EAGAIN;
		generation = atomic_load(&region->core.generation);
		if (out)
			now = pinreg_region_published(&region->core);
	} while (pinreg_inside_gate(region->inside) != gate);
	if (!generation)
		return -ESTALE;
	if (out)
		*out = now;
	return 0;
}

static void leave(struct pinreg_whole_region *region)
{
	const struct pinreg_region_set *set = region->own.set;
	if (pinreg_inside_leave(region->inside))
		set->wake(set->file);
}

static int refused(struct pinreg_whole_region *region)
{
	return pinreg_set_is_lost(region->own.set) ? -ESTALE : -EAGAIN;
}

static int enter_leased(struct pinreg_whole_region *region, struct pinreg_keys *out)
{
	/* first, or who tries again and again would wake the watcher each time */
	if (pinreg_inside_is_shut(pinreg_inside_gate(region->inside)))
		return refused(region);
	pinreg_inside_enter(region->inside);
	int status = read_inside(region, out);
	if (!status)
		return 0;
	leave(region);
	return status == -EAGAIN ? refused(region) : status;
}

static int enter_into(struct pinreg_region *region, struct pinreg_keys *out)
{
	struct pinreg_whole_region *whole = pinreg_region_whole(region);
	if (whole && whole->inside)
		return enter_leased(whole, out);
	if (out)
		*out = pinreg_region_published(region);
	return 0;
}

int pinreg_region_enter(struct pinreg_region *region, struct pinreg_keys *keys)
{
	if (!region)
		return -EINVAL;
	if (pinreg_device_inherited(region->facts->device))
		return -EPERM;
	if (!keys || keys->size == sizeof(*keys))
		return enter_into(region, keys);
	/* of another age */
	struct pinreg_keys now;
	if (pinreg_info_check(keys, offsetof(struct pinreg_keys, generation)))
		return -EINVAL;
	int status = enter_into(region, &now);
	if (!status)
		pinreg_info_write(keys, &now, sizeof(now));
	return status;
}

void pinreg_region_exit(struct pinreg_region *region)
{
	struct pinreg_whole_region *whole = region ? pinreg_region_whole(region) : NULL;
	if (whole && whole->inside && !pinreg_device_inherited(whole->own.device))
		leave(whole);
}
