/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * region.h -- a live registration with a stable handle.
 *
 * The handle stays while the keys may change: a region on a leased file is
 * fenced when somebody else needs the file, and comes back with new keys and
 * a higher generation.
 */
#ifndef PINREG_REGION_H
#define PINREG_REGION_H

#include <stddef.h>
#include <stdint.h>

#include <pinreg/plan.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

struct pinreg_region;

/* What a peer or a work request needs. */
struct pinreg_keys {
	size_t size; /* set by the caller */
	uint32_t lkey;
	uint32_t rkey; /* 0: peers come through windows, see window.h */
	uint64_t addr; /* the address to put into work requests */
	uint64_t length;
	uint64_t generation; /* 1 at first, + 1 with every return from a fence */
};

struct pinreg_region_info {
	size_t size; /* set by the caller */
	enum pinreg_method method;
	enum pinreg_granularity granularity;
	unsigned int access; /* IBV_ACCESS_* as given to the kernel */
	uint64_t addr;
	uint64_t length;
	uint64_t generation;
	unsigned int live;     /* 1: registered now; 0: fenced */
	struct pinreg_why why; /* why this method */
};

/*
 * pinreg_region_register -- make a plan and carry it out.
 *
 * addr, length: the range in bytes; must stay mapped while registered.
 * opts: NULL for the defaults.
 * why: NULL, or filled in always: the reason of the choice or the refusal.
 * Never tries a second method after the chosen one failed.
 *
 * A range of a leased file's mapping (file.h) becomes a region of that file, which is
 * fenced with it; but only in the domain that opened the file. Do not register it with
 * another domain: nobody would fence that region when the lease is broken.
 *
 * Return: 0, or
 *   -EINVAL      a NULL argument, zero length, a wrapping range, an unknown
 *                option, a private file mapping, not whole pages with PAGE;
 *   -EFAULT      a part is not mapped;
 *   -EACCES      a part lacks the protection that access asks for;
 *   -EOPNOTSUPP  no method is possible or trusted for this memory here;
 *   -ENOMEM      RLIMIT_MEMLOCK would be exceeded (numbers in why), or no memory;
 *   -EPERM       RLIMIT_MEMLOCK is 0;
 *   -E2BIG       longer than the device's max_mr_size;
 *   -EXDEV       the range crosses kinds and single_kind was set;
 *   -ECANCELED   the progress function said so;
 *   another -errno from the kernel (why->reason is PINREG_REASON_VERBS).
 * Ownership: the caller deregisters *out.
 * Thread: any. Since: 0.1
 */
int pinreg_region_register(struct pinreg_domain *domain, void *addr, size_t length,
			   const struct pinreg_region_opts *opts, struct pinreg_why *why,
			   struct pinreg_region **out);

/*
 * pinreg_region_deregister -- end the registration. NULL does nothing.
 *
 * Return: 0, -EBUSY while windows of it are open, -EINVAL for a cache's region, or the
 * -errno of the kernel; the region then stays valid and the caller's.
 * Thread: once, with no other call on the region under way. Since: 0.1
 */
int pinreg_region_deregister(struct pinreg_region *region);

/*
 * pinreg_region_keys -- the keys as of now.
 *
 * out: set out->size before the call.
 * Return: 0, -EINVAL for a NULL argument or unknown size, -EAGAIN while the
 * region is fenced, -ESTALE when its file is lost, or ends before the region does
 * (PINREG_SHRINK_FOLLOW). Thread: any. Since: 0.1
 */
int pinreg_region_keys(struct pinreg_region *region, struct pinreg_keys *out);

/*
 * pinreg_region_query -- method, access, reason, generation, whether live.
 * Return: 0, or -EINVAL. Thread: any. Since: 0.1
 */
int pinreg_region_query(struct pinreg_region *region, struct pinreg_region_info *out);

/*
 * pinreg_region_commit -- make what has arrived in a part of it durable.
 *
 * offset, length: bytes within the region. Call it after the remote write is
 * known to have arrived (a SEND behind it on the same QP was received), and
 * before the memory is looked at: with STAGED the bytes are in the shadow until
 * this call copies them home.
 * On a DAX file mapped with MAP_SYNC CPU caches are flushed, on other files
 * msync() is called, on other memory there is nothing to do.
 *
 * Goes from front to back, and is done when it returns 0. It is not cut short
 * between BREAK and FENCED. A fence ends it with -EAGAIN within milliseconds,
 * or when the msync() under way is over: then some bytes from offset on, how many
 * is not told, are durable, and the others are not. With STAGED those others are
 * lost: RESTORED comes with a shadow that shows the file. So peers have to write
 * all of it again. With the other methods they are in the memory: a second call
 * after RESTORED makes them durable, unless somebody has changed the file.
 * Return: 0, -EINVAL (NULL, outside the region), -EAGAIN while fenced or when
 * ended by a fence, -ESTALE when lost, or the -errno of msync (-EIO; of what lies
 * behind, nothing was done). Thread: any. Since: 0.1
 */
int pinreg_region_commit(struct pinreg_region *region, uint64_t offset, uint64_t length);

/*
 * pinreg_region_refresh -- make what was stored in a part of the memory visible
 * to peers.
 *
 * offset, length: bytes within the region. With STAGED they are copied into the
 * shadow; what peers have written there and was not committed is overwritten.
 * With the other methods there is nothing to do. Call it after local stores.
 * A fence ends it with -EAGAIN when a part is copied; there is nothing to be
 * repeated, since RESTORED comes with a shadow that shows all of the memory.
 * Return: 0, -EINVAL (NULL, outside the region), -EAGAIN while fenced or when
 * ended by a fence, -ESTALE when lost. Thread: any. Since: 0.1
 */
int pinreg_region_refresh(struct pinreg_region *region, uint64_t offset, uint64_t length);

/*
 * pinreg_region_enter -- begin work that uses the region's keys or its memory.
 *
 * keys: NULL, or set keys->size before the call: filled in with those of now.
 * Whoever is inside is waited for: between BREAK and FENCED the keys work until all
 * have called pinreg_region_exit(), or until the deadline of the BREAK event. Then
 * they are dead, whoever is inside, and stores to the memory of a fenced file go
 * nowhere; but nothing that was given out here becomes invalid memory.
 * From BREAK to RESTORED nobody is let in: he gets -EAGAIN, and new keys afterwards.
 * So what lies between enter and exit should be short: a work request posted, or a
 * batch of them and their completions. A thread may be inside more than once.
 * It takes a few nanoseconds, takes no lock and writes no cache line that other
 * threads write (docs/performance.md). A region that is not on a leased file is
 * never fenced: everybody is let in.
 * Return: 0; -EAGAIN from BREAK to RESTORED; -ESTALE when its file is lost, or ends
 * before the region does; -EINVAL for NULL or an unknown size. Ownership: of an error there is
 * nothing to exit. Thread: any. Since: 0.1
 */
int pinreg_region_enter(struct pinreg_region *region, struct pinreg_keys *keys);

/*
 * pinreg_region_exit -- end what pinreg_region_enter() began.
 *
 * Once for each enter that returned 0; on any thread, not only on that of the enter.
 * Thread: any. Since: 0.1
 */
void pinreg_region_exit(struct pinreg_region *region);

/*
 * pinreg_region_register_dmabuf -- register device memory by its dma-buf.
 *
 * fd: of the dma-buf; may be closed afterwards. offset, length: bytes within
 * it. opts->iova 0: addresses in work requests begin at offset.
 * Return: as pinreg_region_register(), and -EBADF; -EOPNOTSUPP where the device
 * cannot (why->reason is PINREG_REASON_DMABUF_MISSING). commit and refresh do
 * nothing. Ownership: the caller deregisters *out. Thread: any. Since: 0.1
 */
int pinreg_region_register_dmabuf(struct pinreg_domain *domain, int fd, uint64_t offset,
				  uint64_t length, const struct pinreg_region_opts *opts,
				  struct pinreg_why *why, struct pinreg_region **out);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
