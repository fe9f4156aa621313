/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * commit.c -- moving a region's bytes between its memory, its shadow and the medium.
 */
#include <errno.h>

#include "region/pieces.h"
#include "region/region.h"

static bool within(const struct pinreg_region *region, uint64_t offset, uint64_t length)
{
	return offset <= region->length && length <= region->length - offset;
}

/* The memory itself. */
static int make_durable(struct pinreg_region *region, uint64_t offset, uint64_t length)
{
	const struct pinreg_sys *sys = region->facts->device->sys;
	const struct pinreg_whole_region *whole = pinreg_region_whole(region);
	char *addr = (char *)(uintptr_t)pinreg_region_home(region) + offset;
	if (whole && whole->persist)
		return sys->persist_range(whole->persist, addr, length);
	return region->facts->decision.has_file ? sys->sync_mapping(addr, length) : 0;
}

/* NULL: peers reach the memory itself. */
static struct pinreg_shadow *shadow_of(struct pinreg_region *region)
{
	const struct pinreg_whole_region *whole = pinreg_region_whole(region);
	return whole ? whole->shadow : NULL;
}

static int commit_piece(void *context, uint64_t offset, uint64_t length, struct pinreg_why *why)
{
	struct pinreg_region *region = context;
	struct pinreg_shadow *shadow = shadow_of(region);
	(void)why;
	/* a peer that may not write has put nothing into the shadow */
	if (shadow && region->facts->decision.plan.access & IBV_ACCESS_LOCAL_WRITE)
		pinreg_shadow_to_home(shadow, offset, length);
	return make_durable(region, offset, length);
}

static int refresh_piece(void *context, uint64_t offset, uint64_t length, struct pinreg_why *why)
{
	struct pinreg_shadow *shadow = shadow_of(context);
	(void)why;
	if (shadow)
		pinreg_shadow_from_home(shadow, offset, length);
	return 0;
}

/*
 * Inside of the set to the end, not in and out with each piece: out there a whole
 * fence and return could pass unseen, which fills the shadow anew.
 */
static int do_inside(struct pinreg_region *region, pinreg_piece_function *one, uint64_t offset,
		     uint64_t length)
{
	if (!region || !within(region, offset, length))
		return -EINVAL;
	if (pinreg_device_inherited(region->facts->device))
		return -EPERM;
	struct pinreg_stop stop = pinreg_set_stop(region->facts->set);
	int status = pinreg_set_enter(region->facts->set);
	if (status)
		return status;
	/* it stays so while we are inside */
	if (!atomic_load(&region->generation))
		status = -ESTALE;
	else
		status = pinreg_pieces_do(one, region, offset, length, &stop, NULL);
	pinreg_set_leave(region->facts->set);
	return status;
}

int pinreg_region_commit(struct pinreg_region *region, uint64_t offset, uint64_t length)
{
	return do_inside(region, commit_piece, offset, length);
}

int pinreg_region_refresh(struct pinreg_region *region, uint64_t offset, uint64_t length)
{
	return do_inside(region, refresh_piece, offset, length);
}
