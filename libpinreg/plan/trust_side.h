/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trust_side.h -- one end of the data test's transfers: memory, registered,
 * and an image of what it has to hold.
 *
 * Each fill has a seed of its own, and at any place two seeds give different
 * bytes: what an earlier transfer left behind cannot pass for right. Nor do
 * pages or neighbouring bytes look alike: what went to a wrong place shows.
 */
#ifndef PINREG_PLAN_TRUST_SIDE_H
#define PINREG_PLAN_TRUST_SIDE_H

#include "plan/device.h"

#define PINREG_TRUST_SEEDS 256 /* until they repeat */

struct pinreg_trust_side {
	struct pinreg_device *device;
	uint8_t *memory;
	uint8_t *image;
	uint64_t length;
	struct ibv_mr *mr;
	bool borrowed; /* the memory is the caller's */
};

/*
 * Take the memory, or with NULL map some, and register it. What was mapped is
 * not touched, and its image is zeros; what was borrowed has to be filled.
 * 0, or -errno; then nothing is held.
 */
int pinreg_trust_side_open(struct pinreg_trust_side *side, struct pinreg_device *device,
			   void *memory, uint64_t length, unsigned int access);

/* Give everything back. One that is all zeros is fine. */
void pinreg_trust_side_close(struct pinreg_trust_side *side);

/* Fill a part of the memory and of the image. */
void pinreg_trust_side_fill(struct pinreg_trust_side *side, uint64_t offset, uint64_t length,
			    unsigned int seed);

/* How many bytes differ from the image? They are put right. */
uint64_t pinreg_trust_side_settle(struct pinreg_trust_side *side);

#endif
