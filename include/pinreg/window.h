/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * window.h -- keys of a region that are cheap to take back: memory windows.
 *
 * A region of a leased file can be registered so that peers reach it through
 * windows only (opts->windows): it gives them no right itself. Each peer gets a
 * window of his own, which works on one queue pair. A fence takes the windows away
 * and leaves the registration as it is. What that gains depends on the device and on
 * the length (docs/performance.md). After RESTORED the owner binds a window again for
 * each peer.
 *
 * That needs windows of type 2, and a method with which the registration may stay
 * while others have the file: ODP, which follows the addresses, or STAGED, whose
 * shadow is nobody else's.
 */
#ifndef PINREG_WINDOW_H
#define PINREG_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#include <pinreg/descriptor.h>
#include <pinreg/region.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

struct pinreg_window;

/* NULL, or fields left 0, mean the defaults. */
struct pinreg_window_opts {
	size_t size;	     /* sizeof(struct pinreg_window_opts) */
	unsigned int access; /* IBV_ACCESS_REMOTE_*; default: all that the region was made for */
	uint64_t wr_id;	     /* of the completion of the bind */
};

/*
 * pinreg_window_bind -- let the peer of a queue pair reach a region.
 *
 * qp: connected, and of the region's protection domain. One signaled work request is
 * posted on it: there must be room for it, and the caller takes the completion with
 * opts->wr_id from its queue. The key may be given to the peer when that was
 * successful. A fence that comes while the request waits in the queue makes it fail,
 * and the queue pair with it: connect again. The window is of the whole region: there
 * are devices that do not hold a peer to a part.
 * Return: 0, or
 *   -EINVAL  a NULL argument, an unknown option, or a region that was not
 *            registered with opts->windows;
 *   -EACCES  opts->access has a right that the region was not made for;
 *   -EAGAIN  the file is not held at the moment, or about to be fenced;
 *   -ESTALE  it is lost, or the region lies behind its end;
 *   -ENOMEM  no memory, no window, or the send queue is full;
 *   -EPERM   in a forked child;
 *   another -errno of the device.
 * Ownership: the caller closes *out, before he destroys qp and before he deregisters
 * the region.
 * Thread: any; other threads may post on the same queue pair. Since: 0.1
 */
int pinreg_window_bind(struct pinreg_region *region, struct ibv_qp *qp,
		       const struct pinreg_window_opts *opts, struct pinreg_window **out);

/*
 * pinreg_window_keys -- what the peer has to be told.
 *
 * out: set out->size before the call. lkey is 0; the generation is that of the region
 * when the window was bound.
 * Return: 0; -EINVAL for a NULL argument or unknown size; -ESTALE when a fence has
 * ended it: close it, and bind another; -EPERM in a forked child.
 * Thread: any. Since: 0.1
 */
int pinreg_window_keys(struct pinreg_window *window, struct pinreg_keys *out);

/*
 * pinreg_window_describe -- the same as a descriptor (descriptor.h) for this peer,
 * with an id that all windows of one region have.
 * Return: as pinreg_window_keys(). Thread: any. Since: 0.1
 */
int pinreg_window_describe(struct pinreg_window *window, struct pinreg_descriptor *out);

/*
 * pinreg_window_close -- end it, if no fence has. NULL does nothing.
 *
 * When it returns, its key is dead.
 * Return: 0, or the -errno of the device; the window then stays as it was. -EPERM in a
 * forked child.
 * Thread: once, with no other call on the window under way. Since: 0.1
 */
int pinreg_window_close(struct pinreg_window *window);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
