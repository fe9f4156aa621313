/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * domain.h -- one protection domain and what its device can really do.
 *
 * A domain is opened on an ibv_pd. It knows the device's capabilities, tests
 * on-demand paging with real data before it relies on it, and owns the event
 * queue and, once there is a leased file, the two threads of the library. A
 * third one it has where events are to be given to a function.
 *
 * fork(): domains, files and regions stay the parent's. In the child every function
 * of the library that is given one gives -EPERM (why->reason PINREG_REASON_FORKED)
 * and touches nothing, closing and deregistering too; the structs are the child's
 * copy and go with it. The child has none of the library's descriptors and no
 * mapping of a leased file, so the lease ends with the parent. It may open a domain
 * of its own, on a device that it has opened itself. A child made in another way
 * (vfork(), clone(2) called directly) must not call the library before it executes
 * a program. fork() must not be called in a signal handler; a child that was forked in a
 * function which the library called (progress, log, events) must not return from it.
 */
#ifndef PINREG_DOMAIN_H
#define PINREG_DOMAIN_H

#include <stddef.h>
#include <stdint.h>

#include <infiniband/verbs.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

struct pinreg_domain;
struct pinreg_event;

/* How far on-demand paging may be relied on at a given path MTU. */
enum pinreg_trust {
	PINREG_TRUST_UNTESTED = 0, /* no test yet; as an option: test when needed */
	PINREG_TRUST_NONE = 1,	   /* absent, or data arrives wrong */
	PINREG_TRUST_PAGE = 2,	   /* right for page-aligned whole pages only */
	PINREG_TRUST_FULL = 3,	   /* right for any offset and length; atomics are counted apart */
};

enum pinreg_log_level {
	PINREG_LOG_ERROR = 0,
	PINREG_LOG_WARNING = 1,
	PINREG_LOG_INFO = 2,
	PINREG_LOG_DEBUG = 3,
};

/*
 * Called with one line without a newline. It must not call the library.
 * errno is kept around it. It may be called from any thread.
 */
typedef void pinreg_log_function(void *context, enum pinreg_log_level level, const char *line);

/*
 * Called with one event of the domain, in a thread of the library that does
 * nothing else and has all signals blocked; one call after the other, in their
 * order. *event is of the call. It may call the library: acknowledge the break,
 * register, open its file, close it; what it does not end in time is not waited
 * for, see deadline_ns. Only pinreg_domain_close() of its own domain it cannot
 * call.
 */
typedef void pinreg_event_function(void *context, const struct pinreg_event *event);

/* quiesce_ms: the fence comes at once, without an ack, and BREAK is told of after it. */
#define PINREG_QUIESCE_NONE (~0u)

/* NULL, or fields left 0, mean the defaults. */
struct pinreg_domain_opts {
	size_t size;		     /* sizeof(struct pinreg_domain_opts) */
	unsigned int port;	     /* the port used by the data test; default 1 */
	enum pinreg_trust odp_trust; /* not UNTESTED: take this for granted, no test;
					FULL: also atomics, where the device claims them */
	unsigned int quiesce_ms;     /* from BREAK to the fence without an ack; default 20 */
	/*
	 * Real-time signal for leases. It is sent to a thread of the library only, so
	 * whatever else the process does with that signal goes on. Default: one that has
	 * no handler, and is not blocked in the thread that opens the first file (with
	 * device_events: the domain).
	 */
	int break_signal;
	pinreg_log_function *log; /* default: nothing is logged */
	void *log_context;
	uint64_t pin_budget; /* bytes that regions of this domain may pin; 0: no budget */
	pinreg_event_function *on_event; /* default: pinreg_domain_next_event() gives them */
	void *event_context;
	unsigned int device_events; /* 1: DEVICE events, see event.h */
};

/* What the device, the port and the limits are. Sizes in bytes. */
struct pinreg_domain_info {
	size_t size; /* set by the caller */
	char device[64];
	unsigned int port;
	unsigned int active_mtu;       /* of the port now, bytes */
	unsigned int odp;	       /* IBV_ODP_SUPPORT*: general */
	unsigned int odp_rc;	       /* IBV_ODP_SUPPORT_*: by operation, RC */
	unsigned int odp_ud;	       /* the same, UD */
	unsigned int flush_global;     /* 1: RDMA FLUSH to global visibility */
	unsigned int flush_persistent; /* 1: RDMA FLUSH to persistence */
	unsigned int memory_windows;   /* bits: 1 type 1, 2 type 2A, 4 type 2B */
	uint64_t max_mr_size;
	uint64_t max_mr;
	uint64_t memlock_limit;	     /* RLIMIT_MEMLOCK; UINT64_MAX: no limit for this process */
	uint64_t memlock_used;	     /* pinned by this process */
	enum pinreg_trust odp_trust; /* at active_mtu, so far */
	uint64_t pin_budget;	     /* bytes; UINT64_MAX: none */
	uint64_t pinned;	     /* by regions of this domain now, bytes */
};

/* What the data test found. */
struct pinreg_trust_report {
	size_t size; /* set by the caller */
	enum pinreg_trust trust;
	unsigned int mtu;	     /* path MTU of the test, bytes */
	unsigned int cases;	     /* transfers made */
	unsigned int cases_wrong;    /* transfers with a wrong or stray byte */
	uint64_t bytes;		     /* moved */
	uint64_t bytes_wrong;	     /* wrong or stray */
	uint64_t first_wrong_offset; /* within a page, of the first wrong transfer */
	uint64_t first_wrong_length; /* its length */
	unsigned int atomics;	     /* atomic operations made; 0: REMOTE_ATOMIC has no proof */
	unsigned int atomics_wrong;  /* that changed, or gave back, something wrong */
};

/*
 * pinreg_domain_open -- make a domain on a protection domain.
 *
 * pd: stays the caller's and must outlive the domain.
 * opts: NULL for the defaults.
 * Return: 0, or
 *   -EINVAL  pd or out is NULL, or opts holds something unknown (a port the
 *            device does not have, a signal that is not real-time);
 *   -ENOMEM  no memory;
 *   -EAGAIN  on_event or device_events is set, and no thread can be started;
 *   -EBUSY   device_events is set, and there is no real-time signal left for leases;
 *   another -errno of querying the device or, with device_events, of opening it once
 *   more and of listening to the kernel.
 * device_events: the domain opens the device once more, for its events, and starts the
 * threads now. Inside of a user namespace's own network namespace a removal is heard
 * of only when the kernel takes the device away, which Soft-RoCE does not.
 * Ownership: the caller closes *out with pinreg_domain_close().
 * Thread: any. Since: 0.1
 */
int pinreg_domain_open(struct ibv_pd *pd, const struct pinreg_domain_opts *opts,
		       struct pinreg_domain **out);

/*
 * pinreg_domain_close -- end the domain and its threads. NULL does nothing.
 *
 * Waits for a call of on_event that is under way.
 * Return: 0, -EBUSY while regions or files of the domain are open, or -EDEADLK
 * from within on_event; the domain then stays as it was.
 * Thread: once, with no other call on the domain under way. Since: 0.1
 */
int pinreg_domain_close(struct pinreg_domain *domain);

/*
 * pinreg_domain_query -- capabilities and limits as they are now.
 *
 * out: set out->size before the call.
 * Return: 0, -EINVAL for a NULL argument or an unknown size, or the -errno
 * of asking the port. Thread: any. Since: 0.1
 */
int pinreg_domain_query(struct pinreg_domain *domain, struct pinreg_domain_info *out);

/*
 * pinreg_domain_test_odp -- move data through an ODP region and compare.
 *
 * The result is kept per device, port and MTU for the life of the process,
 * and the test is not repeated. out: set out->size before the call.
 * Return: 0 with the finding (also when it is NONE), -EINVAL as above, or
 * the -errno that kept the test from running (-ENETDOWN: the port is down).
 * Thread: any; concurrent callers wait for one test. Since: 0.1
 */
int pinreg_domain_test_odp(struct pinreg_domain *domain, struct pinreg_trust_report *out);

/*
 * pinreg_trust_name -- "untested", "none", "page" or "full".
 * Thread: any. Since: 0.1
 */
const char *pinreg_trust_name(enum pinreg_trust trust);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
