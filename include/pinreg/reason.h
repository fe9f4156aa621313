/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reason.h -- why something was chosen, refused or lost.
 *
 * Every decision of the library is data: a reason code and the numbers that
 * led to it. pinreg_why_describe() makes one sentence of them.
 */
#ifndef PINREG_REASON_H
#define PINREG_REASON_H

#include <stddef.h>
#include <stdint.h>

#include <pinreg/backing.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* Values are stable; new ones are added at the end of their group. */
enum pinreg_reason {
	PINREG_REASON_NONE = 0,

	/* a method was chosen */
	PINREG_REASON_PIN_MEMORY = 1,	      /* the kernel pins this kind for long */
	PINREG_REASON_PIN_READ_ONLY = 2,      /* page cache, and nobody asked to write */
	PINREG_REASON_ODP_FSDAX = 3,	      /* DAX cannot be pinned, ODP is trusted */
	PINREG_REASON_ODP_PAGECACHE = 4,      /* writable page cache cannot be pinned */
	PINREG_REASON_ODP_REQUESTED = 5,      /* the caller asked for ODP */
	PINREG_REASON_STAGED_NO_ODP = 6,      /* can be neither pinned nor paged: a shadow */
	PINREG_REASON_STAGED_UNTRUSTED = 7,   /* ODP moves wrong bytes: a shadow */
	PINREG_REASON_STAGED_GRANULARITY = 8, /* ODP is right for whole pages only: a shadow */
	PINREG_REASON_STAGED_REQUESTED = 9,   /* the caller asked for a shadow */
	PINREG_REASON_ODP_LIMIT = 10,	      /* more than may be pinned, and ODP is trusted */
	PINREG_REASON_DMABUF_MEMORY = 11,     /* a dma-buf was given */
	PINREG_REASON_STAGED_ATOMICS = 12,    /* ODP's atomics are not proved: a shadow */

	/* a registration was refused */
	PINREG_REASON_BAD_RANGE = 100,		/* NULL, zero length, wraps, outside */
	PINREG_REASON_BAD_OPTION = 101,		/* an option or flag is not known */
	PINREG_REASON_HOLE = 102,		/* a sub-range is not mapped */
	PINREG_REASON_PROTECTION = 103,		/* a sub-range lacks a right asked for */
	PINREG_REASON_PRIVATE_FILE = 104,	/* remote writes would never reach the file */
	PINREG_REASON_SPECIAL = 105,		/* memory that no device may reach */
	PINREG_REASON_UNKNOWN_FILE = 106,	/* the mapped file could not be looked at */
	PINREG_REASON_PIN_IMPOSSIBLE = 107,	/* PIN was asked for; the kernel refuses it here */
	PINREG_REASON_ODP_MISSING = 108,	/* needs ODP, the device has none */
	PINREG_REASON_ODP_UNTRUSTED = 109,	/* needs ODP, the data test found wrong bytes */
	PINREG_REASON_ODP_GRANULARITY = 110,	/* ODP is right for whole pages only */
	PINREG_REASON_ODP_UNTESTED = 111,	/* the data test could not be run */
	PINREG_REASON_UNALIGNED = 112,		/* PAGE granularity, but not whole pages */
	PINREG_REASON_METHOD_UNAVAILABLE = 113, /* this version cannot do the method */
	PINREG_REASON_MEMLOCK = 114,		/* RLIMIT_MEMLOCK: used + wanted > limit */
	PINREG_REASON_TOO_LONG = 115,		/* longer than the device's max_mr_size */
	PINREG_REASON_VERBS = 116,		/* the plan was good, the kernel said no */
	PINREG_REASON_FENCED = 117,		/* the file is being yielded or was lost */
	PINREG_REASON_PAST_END = 118,		/* behind the end of the mapped file */
	PINREG_REASON_KINDS = 119,	     /* the range crosses kinds, and that was forbidden */
	PINREG_REASON_IOVA = 120,	     /* this iova does not work here: see the sentence */
	PINREG_REASON_FLUSH_MISSING = 121,   /* the device has no such RDMA FLUSH */
	PINREG_REASON_FLUSH_NOT_PMEM = 122,  /* FLUSH to persistence, but not of pmem */
	PINREG_REASON_BUDGET = 123,	     /* the domain's pin budget: used + wanted > limit */
	PINREG_REASON_MKEYS = 124,	     /* the device has as many regions as it can */
	PINREG_REASON_MAP_COUNT = 125,	     /* vm.max_map_count is reached */
	PINREG_REASON_DMABUF_MISSING = 126,  /* the device cannot register dma-bufs */
	PINREG_REASON_ODP_ATOMICS = 127,     /* needs ODP, whose atomics are not proved */
	PINREG_REASON_FORKED = 128,	     /* the domain is the parent's: see domain.h */
	PINREG_REASON_WINDOWS_MISSING = 129, /* the device has no windows of type 2 */
	PINREG_REASON_WINDOWS_METHOD = 130,  /* windows need ODP or STAGED */

	/* a file was refused or lost */
	PINREG_REASON_FILE_NOT_REGULAR = 200,
	PINREG_REASON_FILE_SYMLINK = 201,
	PINREG_REASON_FILE_NOT_DAX = 202,
	PINREG_REASON_FILE_OVERLAY = 203,      /* leases there do not hold for mappings */
	PINREG_REASON_FILE_IN_USE = 204,       /* somebody else has it open */
	PINREG_REASON_FILE_LEASE_DENIED = 205, /* neither owner nor CAP_LEASE */
	PINREG_REASON_FILE_LEASE_UNSUPPORTED = 206,
	PINREG_REASON_FILE_NO_SPACE = 207,
	PINREG_REASON_FILE_SIZE = 208,		   /* zero, or not whole pages */
	PINREG_REASON_FILE_EXTENTS = 209,	   /* flaws are left after preparation */
	PINREG_REASON_FILE_SYSTEM_CALL = 210,	   /* some call failed: see step, os_error */
	PINREG_REASON_FILE_TAKEN = 211,		   /* opened by another while being prepared */
	PINREG_REASON_FILE_SHRUNK = 212,	   /* shorter than before, and told to give up */
	PINREG_REASON_FILE_REPLACED = 213,	   /* the path leads to another inode now */
	PINREG_REASON_FILE_OWNED = 214,		   /* its record names a process that is alive */
	PINREG_REASON_FILE_SEAL_RIGHT = 215,	   /* no CAP_LINUX_IMMUTABLE, or not the owner */
	PINREG_REASON_FILE_SEAL_UNSUPPORTED = 216, /* no immutable flag, or it would kill */
	PINREG_REASON_FILE_NOT_SEALED = 217,	   /* there is no seal of ours to take off */
	PINREG_REASON_FILE_RECORD_UNTRUSTED = 218, /* somebody else's record: not believed */
	PINREG_REASON_FILE_RECORD_BAD = 219,	   /* a damaged record */
	PINREG_REASON_FILE_CANCELLED = 220,	   /* the progress function said so */
	PINREG_REASON_NO_SIGNAL = 221,		   /* every real-time signal is in use */
	/*
	 * gone before the keys were dead; used: ns since it was last seen held, 0: not
	 * known; wanted: ns since the break was noticed
	 */
	PINREG_REASON_FILE_LEASE_LOST = 222,

	/* a cache */
	PINREG_REASON_UNHEARD = 300, /* no userfaultfd tells of unmapping: see step, os_error */
};

/*
 * The numbers behind a reason. Which are meaningful depends on the reason;
 * the others are 0. The struct has a fixed size within one soname.
 */
struct pinreg_why {
	enum pinreg_reason reason;
	int error;	       /* what the call returns: 0 or -errno */
	int os_error;	       /* errno of the system call that failed, or 0 */
	enum pinreg_kind kind; /* of the sub-range that decided; NONE: no kind did */
	uint64_t addr;	       /* that sub-range (for a file: offset), bytes */
	uint64_t length;       /* its length, bytes */
	uint64_t wanted;       /* bytes asked for (or a flag word, see the sentence) */
	uint64_t used;	       /* bytes in use already */
	uint64_t limit;	       /* bytes allowed */
	unsigned int mtu;      /* path MTU of the data test, bytes */
	unsigned int wrong;    /* bytes (of atomics: operations) that the data test found wrong */
	char step[24];	       /* name of the call that failed */
	unsigned int assumed;  /* 1: ODP was not tested, the domain was told to trust it */
	unsigned int reserved_too;
	uint64_t reserved[3];
};

/*
 * pinreg_why_describe -- one sentence for a human, with the numbers in it.
 *
 * buf, len: where to write; at most len bytes with the ending zero.
 * Return: the length of the whole sentence in bytes (as snprintf), or
 * -EINVAL if why is NULL, or buf is NULL and len is not 0.
 * Thread: any. Since: 0.1
 */
int pinreg_why_describe(const struct pinreg_why *why, char *buf, size_t len);

/*
 * pinreg_reason_name -- the code in a word for logs and JSON, e.g. "odp-fsdax".
 * Return: a constant string; "?" for a value that is not a reason.
 * Thread: any. Since: 0.1
 */
const char *pinreg_reason_name(enum pinreg_reason reason);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
