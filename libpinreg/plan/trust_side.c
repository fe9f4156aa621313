/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trust_side.c -- memory for the data test, and what it has to hold.
 */
#include "plan/trust_side.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Odd factors: neighbours differ, and so do all seeds. Blocks are scattered,
 * and not by a factor alone: at some distance everything would look the same.
 */
static uint8_t pattern(uint64_t place, unsigned int seed)
{
	uint32_t block = ((uint32_t)(place >> 8) + 1) * 0x9e3779b1u;

	block = (block ^ block >> 15) * 0x85ebca6bu;
	return (uint8_t)(place * 167 + (block >> 24) + seed * 101);
}

int pinreg_trust_side_open(struct pinreg_trust_side *side, struct pinreg_device *device,
			   void *memory, uint64_t length, unsigned int access)
{
	int status = 0;

	*side = (struct pinreg_trust_side){
		.device = device,
		.memory = memory,
		.length = length,
		.borrowed = memory != NULL,
	};
	side->image = calloc(1, length);
	if (!side->image)
		return -ENOMEM;
	if (!memory) {
		void *fresh = NULL;

		status = device->sys->map_anonymous(length, &fresh);
		side->memory = fresh;
	}
	if (!status)
		status = device->sys->mr_register(device->pd, side->memory, length,
						  (uintptr_t)side->memory, access, &side->mr);
	if (status)
		pinreg_trust_side_close(side);
	return status;
}

void pinreg_trust_side_close(struct pinreg_trust_side *side)
{
	int status = side->mr ? side->device->sys->mr_deregister(side->mr) : 0;

	if (status)
		pinreg_log(&side->device->log, PINREG_LOG_WARNING,
			   "memory of the data test stays registered: %s", strerror(-status));
	/* what the device may still reach must not become something else */
	else if (side->memory && !side->borrowed)
		side->device->sys->unmap(side->memory, side->length);
	free(side->image);
	*side = (struct pinreg_trust_side){ 0 };
}

void pinreg_trust_side_fill(struct pinreg_trust_side *side, uint64_t offset, uint64_t length,
			    unsigned int seed)
{
	for (uint64_t i = offset; i < offset + length; i++)
		side->image[i] = pattern(i, seed);
	memcpy(side->memory + offset, side->image + offset, length);
}

uint64_t pinreg_trust_side_settle(struct pinreg_trust_side *side)
{
	uint64_t wrong = 0;

	if (!memcmp(side->memory, side->image, side->length))
		return 0;
	for (uint64_t i = 0; i < side->length; i++)
		wrong += side->memory[i] != side->image[i];
	memcpy(side->memory, side->image, side->length);
	return wrong;
}
