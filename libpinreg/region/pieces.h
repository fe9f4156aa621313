/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pieces.h -- something slow, done in pieces, and the question between two of
 * them whether it has to end here.
 *
 * Who opens a leased file waits until nobody works on it. So whoever works on
 * much of it asks after each piece, and only the kernel's own registering of a
 * region, one call, cannot be cut.
 */
#ifndef PINREG_REGION_PIECES_H
#define PINREG_REGION_PIECES_H

#include <stdint.h>

#include <pinreg/reason.h>

/*
 * Copied, or flushed, in some milliseconds; so long that asking costs nothing.
 * On page cache each is an msync of its own: in all about twice the time of one,
 * so smaller would be too dear. Pieces end at multiples of it.
 */
#define PINREG_PIECE ((uint64_t)8 << 20)

/*
 * Who answers: for those inside of a set the set (pinreg_set_stop()), for who
 * restores a fenced one the lease that he holds. 0, or -errno with *why (which
 * may be NULL): stop. Without a function nobody ever asks, and all is one piece.
 */
struct pinreg_stop {
	int (*asked)(void *context, struct pinreg_why *why);
	void *context;
};

/* Has it to end here? 0: no; or -errno with *why. */
int pinreg_stop_asked(const struct pinreg_stop *stop, struct pinreg_why *why);

/* 0, or -errno with *why. */
typedef int pinreg_piece_function(void *context, uint64_t offset, uint64_t length,
				  struct pinreg_why *why);

/*
 * Do [offset, offset + length) from front to back. Asks after every piece but
 * the last: what is done is done. 0, or -errno with *why, of a piece or of stop.
 */
int pinreg_pieces_do(pinreg_piece_function *one, void *context, uint64_t offset, uint64_t length,
		     const struct pinreg_stop *stop, struct pinreg_why *why);

#endif
