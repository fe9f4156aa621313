/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rows.h -- the number of the row in which a thread counts: no other thread has it.
 *
 * Numbers are the process's, not a cache's: a thread is given one when it first needs
 * it, for all caches that there are or will be, and gives it back when it ends. The
 * memory of the rows is the caches'; so a thread that ends after a cache was closed
 * touches nothing of that cache.
 *
 * Who takes a number sees what its last owner did: it goes on from his counts.
 */
#ifndef PINREG_CACHE_ROWS_H
#define PINREG_CACHE_ROWS_H

#include <stdint.h>

#define PINREG_ROWS 256u

/* Of this thread: 1 to PINREG_ROWS - 1; 0: none. Found without a call. */
extern _Thread_local uint32_t pinreg_row_number __attribute__((tls_model("initial-exec")));

/*
 * See that this thread has a number, if it can have one: where others have them all,
 * and once its end has begun, it has 0, and that for good. So it can rely on counting
 * at the same place from now on, but for its very end.
 */
void pinreg_row_number_take(void);

#endif
