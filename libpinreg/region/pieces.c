/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pieces.c -- something slow, done in pieces.
 */
#include "region/pieces.h"

int pinreg_stop_asked(const struct pinreg_stop *stop, struct pinreg_why *why)
{
	return stop->asked ? stop->asked(stop->context, why) : 0;
}

int pinreg_pieces_do(pinreg_piece_function *one, void *context, uint64_t offset, uint64_t length,
		     const struct pinreg_stop *stop, struct pinreg_why *why)
{
	uint64_t end = offset + length;
	int status = 0;
	while (!status && offset < end) {
		uint64_t part = PINREG_PIECE - offset % PINREG_PIECE;
		if (part > end - offset || !stop->asked)
			part = end - offset;
		status = one(context, offset, part, why);
		offset += part;
		if (!status && offset < end)
			status = pinreg_stop_asked(stop, why);
	}
	return status;
}
