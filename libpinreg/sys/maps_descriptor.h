/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * maps_descriptor.h -- the process's one descriptor of its memory map.
 */
#ifndef PINREG_SYS_MAPS_DESCRIPTOR_H
#define PINREG_SYS_MAPS_DESCRIPTOR_H

/* Of the calling thread's task, so that a main thread that has ended is no harm. */
#define PINREG_MAPS_PATH "/proc/thread-self/maps"

/*
 * The descriptor, or -errno of opening it. It shows this process's map, also
 * in the child of a fork and where somebody closed the last one. The caller
 * must not close it and must not read from it: the position is shared.
 * The first call needs a mapping more: -ENOMEM where there can be none.
 * Thread: any.
 */
int pinreg_maps_descriptor(void);

/* One of the caller's own, that is to be closed. -errno of opening it. */
int pinreg_maps_open(void);

#endif
