/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loss.h -- a lease that was gone before the fence: taken away by force, because
 * lease-break-time was over, or let go by somebody through a copy of the
 * descriptor. F_GETLEASE cannot tell that from a break.
 */
#ifndef PINREG_WATCH_LOSS_H
#define PINREG_WATCH_LOSS_H

#include "watch/watch.h"

/* A break was just noticed. Is the lease still ours? Notes when it was so. Busy. */
bool pinreg_loss_held(struct pinreg_file *file);

/* Give the lease back, and note whether there was one to give. Busy; ASSUMPTIONS: fenced. */
void pinreg_loss_release(struct pinreg_file *file);

/* Where there was none: tell the owner. Busy; after the above. */
void pinreg_loss_tell(struct pinreg_file *file);

#endif
