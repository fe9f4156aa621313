/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache.h -- registrations that are kept for whoever registers the same memory again.
 *
 * get() gives a region that covers the range: one that is there, or a new one. put()
 * gives it back; it stays registered until there is no room for it, or its memory is
 * unmapped.
 *
 * Why a kept region never leads to other memory than its address. A pinned region goes
 * on with the pages it was made on, whatever is mapped there later; so it must be given
 * up before the address can come back with other pages, and somebody must tell us. No
 * code of the process is patched for that. What a hit may be made of depends on the
 * region and on the monitor:
 *
 * - A region that is paged on demand is changed by the kernel itself. Nobody has to tell.
 * - PINREG_MONITOR_UFFD: before the pages are pinned their mappings are registered with a
 *   userfaultfd of the cache, which protects nothing and serves no page fault, but has the
 *   kernel stop each thread that unmaps, moves or empties a part of them until the message
 *   about that is read. The cache's thread marks the cache as changing, reads the
 *   messages, takes every region they touch out (also one that is just being registered),
 *   and then marks it as settled; a hit is made only where the cache is seen settled
 *   first and the region alive after that. So the thread that unmapped, and all whom it
 *   tells that it has, find the mark or its result: never the old region.
 *   One gap is left: another thread is given the address by the kernel while the first is
 *   still inside of munmap(), and asks for a region before the cache's thread has run. With
 *   strict each get() also asks the kernel whether an unmapping of watched memory is under
 *   way (one system call); where it is, get() waits until the message is read. Then there
 *   is no gap.
 *   What was found out about a mapping holds for further regions of it for as long as no
 *   message about a part of it has come.
 *   madvise(MADV_DONTNEED) is told of before it empties, and not when it has. So what is
 *   registered of such a range within a second is used, but not kept.
 * - Kept are only mappings that cannot change without such a message: private anonymous ones,
 *   huge pages among them. Not kept are System V segments (shmdt() sends none), mappings of a
 *   userfaultfd of the application, and, unless keep_files says that nobody else truncates,
 *   punches or empties them, files and shared memory. MADV_GUARD_INSTALL of Linux 6.13 and
 *   remap_file_pages() send no message either: who uses them on registered memory has to call
 *   pinreg_cache_invalidate().
 * - PINREG_MONITOR_MANUAL: the application says what it unmaps, before it does so.
 * - Where none of these can be had nothing is kept: the last put() deregisters.
 *
 * fork(): the cache stays the parent's; in a child each function gives -EPERM.
 * Not to be called in a signal handler.
 */
#ifndef PINREG_CACHE_H
#define PINREG_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include <pinreg/plan.h>
#include <pinreg/reason.h>
#include <pinreg/region.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

struct pinreg_cache;

/* Who tells that memory under a kept region changes. */
enum pinreg_monitor {
	PINREG_MONITOR_AUTO = 0,   /* UFFD where it can be had, else ODP */
	PINREG_MONITOR_ODP = 1,	   /* nobody: only regions that are paged on demand are kept */
	PINREG_MONITOR_UFFD = 2,   /* the kernel; -EOPNOTSUPP where it cannot be had */
	PINREG_MONITOR_MANUAL = 3, /* the application, by pinreg_cache_invalidate() */
};

/* NULL, or fields left 0, mean the defaults. */
struct pinreg_cache_opts {
	size_t size; /* sizeof(struct pinreg_cache_opts) */
	enum pinreg_monitor monitor;
	unsigned int strict;	 /* 1: no gap, at the price of a system call: see above */
	unsigned int keep_files; /* 1: nobody else cuts or empties files and shared memory */
	unsigned int no_merge;	 /* 1: register what is asked for, never more */
	/*
	 * Rights (IBV_ACCESS_*) that a new region gets beside those asked for, as far as its
	 * mapping allows them, so that requests with other rights can share it. Default: none.
	 */
	unsigned int access;
	uint64_t max_regions; /* kept or in use; default 65,536; no more than 16,777,215 */
	uint64_t max_bytes;   /* of memory, overlaps counted twice; default: no limit */
	uint64_t max_pinned;  /* bytes that they pin; default: no limit but the domain's */
	uint64_t max_merge;   /* bytes of a region that others are merged into; default 64 MiB */
	/* as in struct pinreg_region_opts */
	enum pinreg_method method; /* not STAGED, not DMABUF */
	enum pinreg_granularity granularity;
	unsigned int allow_private_file;
	unsigned int no_populate;
	unsigned int threads;
};

struct pinreg_cache_info {
	size_t size;		     /* set by the caller */
	enum pinreg_monitor monitor; /* in effect; ODP: others than paged ones are not kept */
	unsigned int strict;
	struct pinreg_why why;	/* why it is not UFFD where AUTO was asked for; else NONE */
	uint64_t hits;		/* answered with a region that was there */
	uint64_t misses;	/* a region had to be registered, or that was refused */
	uint64_t evictions;	/* idle regions that made room */
	uint64_t invalidations; /* regions given up as their memory changed, or on request */
	uint64_t unkept;	/* misses whose region was not to be kept: see above */
	uint64_t merges;	/* misses that were made part of a larger region */
	uint64_t regions; /* kept now: idle, in use, or given up and waiting for their last put */
	uint64_t in_use;  /* regions that somebody has; those that are not kept too */
	uint64_t bytes;	  /* of memory */
	uint64_t pinned;  /* bytes that they pin */
};

/*
 * pinreg_cache_open -- make a cache of regions of a domain.
 *
 * opts: NULL for the defaults. why: NULL, or filled in always.
 * With UFFD it starts two threads: one reads messages, the other deregisters. They sleep
 * while nothing happens, and have all signals blocked.
 * Return: 0, or
 *   -EINVAL      domain or out is NULL, or opts holds something unknown, or strict or
 *                keep_files with a monitor that has no use for it;
 *   -EOPNOTSUPP  UFFD was asked for (or AUTO with strict) and cannot be had (why->step and
 * os_error: which call failed); -ENOMEM      no memory; -EAGAIN no thread can be started; -EMFILE
 * no descriptor. Ownership: the caller closes *out with pinreg_cache_close(), before the domain.
 * Thread: any. Since: 0.1
 */
int pinreg_cache_open(struct pinreg_domain *domain, const struct pinreg_cache_opts *opts,
		      struct pinreg_why *why, struct pinreg_cache **out);

/*
 * pinreg_cache_close -- deregister what is kept, and end the cache. NULL does nothing.
 *
 * Return: 0, -EBUSY while regions are in use, or the -errno of deregistering; the cache
 * then stays valid. Thread: once, with no other call on the cache under way. Since: 0.1
 */
int pinreg_cache_close(struct pinreg_cache *cache);

/*
 * pinreg_cache_get -- a region that covers [addr, addr + length) with these rights.
 *
 * access: IBV_ACCESS_*; 0: LOCAL_WRITE|REMOTE_WRITE|REMOTE_READ. Never more than this, the
 * cache's access and what the mapping allows is asked of the kernel.
 * keys: NULL, or set keys->size before the call: filled in, with addr and length of the
 * region, which may be larger than the range.
 * why: NULL, or filled in where it fails; a hit leaves it as it is.
 * A hit takes a few nanoseconds, takes no lock and writes no cache line that other
 * threads write. Threads that miss the same range at once get one region.
 * Memory on a leased file (file.h) is registered on that file; such regions, and those that
 * no monitor watches, are not kept: the put() deregisters.
 * Return: 0; as pinreg_region_register() (never STAGED: where it would be, -EOPNOTSUPP); on
 * -ENOMEM and on MKEYS, MEMLOCK or BUDGET idle regions have been given up first, all that
 * were there.
 * Ownership: the caller gives *region back with pinreg_cache_put(); it must not be
 * deregistered. It works until then, whatever happens to the cache, but where its memory
 * was unmapped it leads to the pages that were there.
 * Thread: any. Since: 0.1
 */
int pinreg_cache_get(struct pinreg_cache *cache, void *addr, size_t length, unsigned int access,
		     struct pinreg_keys *keys, struct pinreg_why *why,
		     struct pinreg_region **region);

/*
 * pinreg_cache_put -- give a region back. NULL does nothing.
 *
 * Once for each get, on any thread. The memory may be unmapped before.
 * Return: 0; -EINVAL for a NULL cache; or of a region that is not kept the -errno of
 * deregistering it, and then it is the caller's still. One whose memory has changed is
 * deregistered with its last put; where that fails it is tried again with the next one.
 * Thread: any. Since: 0.1
 */
int pinreg_cache_put(struct pinreg_cache *cache, struct pinreg_region *region);

/*
 * pinreg_cache_invalidate -- give up every region that touches [addr, addr + length).
 *
 * Those in use are given to nobody else, and are deregistered with their last put. The
 * range is not watched any more, so that the application may register it with a
 * userfaultfd of its own. With MANUAL to be called before the memory is unmapped, moved
 * or emptied, when no get of it can come any more. addr NULL and length 0: all regions, and
 * what is watched stays so.
 * Return: 0, -EINVAL for a NULL cache or a range that wraps. When it returns 0 those that
 * were idle are deregistered; or the -errno of that, and they are the cache's to end.
 * Thread: any. Since: 0.1
 */
int pinreg_cache_invalidate(struct pinreg_cache *cache, void *addr, size_t length);

/*
 * pinreg_cache_query -- counters since it was opened, and sizes as they are now.
 *
 * What this thread has unmapped before is in it. Takes time in proportion to the regions:
 * in_use is counted. out: set out->size before the call.
 * Return: 0, or -EINVAL. Thread: any. Since: 0.1
 */
int pinreg_cache_query(struct pinreg_cache *cache, struct pinreg_cache_info *out);

/*
 * pinreg_monitor_name -- "auto", "odp", "uffd", "manual".
 * Return: a constant string; "?" for what is none. Thread: any. Since: 0.1
 */
const char *pinreg_monitor_name(enum pinreg_monitor monitor);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
