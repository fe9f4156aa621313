/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fork.h -- what a forked child must not keep of its parent's.
 *
 * A child has the parent's open files: the leased file, so that the lease would
 * outlive the parent, and the signalfd, inotify and eventfds that are the
 * watcher's. Every descriptor that the library keeps is listed here, and the
 * child closes them before fork() returns in it. Programs that are executed have
 * none of them: all are opened with O_CLOEXEC.
 *
 * Only fork() does this: a child of clone(2) called directly, or of _Fork(), is
 * on its own.
 */
#ifndef PINREG_SYS_FORK_H
#define PINREG_SYS_FORK_H

/*
 * Which process since the library was loaded: a child's is its parent's + 1.
 * What was made in another epoch was inherited and must not be touched. Written
 * only while a child has one thread.
 */
extern unsigned int pinreg_fork_epoch __attribute__((visibility("hidden")));

/*
 * Between begin and end no fork happens: for a call whose effect a child must see
 * whole or not at all. They do not nest. A fork waits for the call, and nobody else
 * does, so it may be slow.
 */
void pinreg_fork_begin(void);
void pinreg_fork_end(void);

/*
 * After begin, in place of end: fd is the result of opening, -1 with errno.
 * The descriptor, which is listed now, or -errno.
 */
int pinreg_fork_opened(int fd);

/* List one that was opened inside of begin and end. 0 or -ENOMEM. */
int pinreg_fork_list(int fd);

/* After begin: fd is about to be closed. */
void pinreg_fork_unlist(int fd);

#endif
