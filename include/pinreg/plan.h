/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plan.h -- the decision for a range: method, access flags, reason, numbers.
 *
 * With ODP the plan holds for connections whose path MTU is that of the port,
 * why.mtu: the data test was made with packets of that size, and with smaller
 * ones a device may put other bytes in other places.
 *
 * Making a plan changes nothing. It looks at the memory, at the device and
 * at the limits, and, if ODP would be needed, makes sure it has been tested.
 */
#ifndef PINREG_PLAN_H
#define PINREG_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include <pinreg/domain.h>
#include <pinreg/reason.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

enum pinreg_method {
	PINREG_METHOD_AUTO = 0,	  /* as an option: let the plan choose */
	PINREG_METHOD_PIN = 1,	  /* plain registration, pages pinned */
	PINREG_METHOD_ODP = 2,	  /* on-demand paging */
	PINREG_METHOD_STAGED = 3, /* a pinned shadow of the range */
	PINREG_METHOD_DMABUF = 4, /* device memory */
	PINREG_METHOD_REFUSE = 5, /* as an answer: none of them */
};

/* What transfers the caller is going to make. Atomics are tested apart. */
enum pinreg_granularity {
	PINREG_GRANULARITY_BYTE = 0, /* any offset, any length */
	PINREG_GRANULARITY_PAGE = 1, /* page-aligned, whole pages */
};

/*
 * Called now and then while something long is under way, with bytes. From one
 * of the threads that work for the caller, one call at a time; it must not call
 * the library. A non-zero return gives up: -ECANCELED.
 */
typedef int pinreg_progress_function(void *context, uint64_t done, uint64_t total);

/* NULL, or fields left 0, mean the defaults. */
struct pinreg_region_opts {
	size_t size;		   /* sizeof(struct pinreg_region_opts) */
	unsigned int access;	   /* IBV_ACCESS_*; default LOCAL_WRITE|REMOTE_WRITE|REMOTE_READ;
				      IBV_ACCESS_ON_DEMAND is not one: see method */
	unsigned int read_only;	   /* 1: REMOTE_READ only, where access is 0 */
	enum pinreg_method method; /* insist on a method */
	enum pinreg_granularity granularity;
	unsigned int allow_private_file;    /* 1: private copies of file pages are wanted */
	unsigned int no_staging;	    /* 1: rather be refused than given a shadow */
	unsigned int single_kind;	    /* 1: refuse a range that crosses kinds (-EXDEV) */
	uint64_t iova;			    /* address for work requests; 0: that of the memory;
					       another must be at the same place in its page */
	unsigned int no_populate;	    /* 1: do not touch cold memory before pinning */
	unsigned int prefetch;		    /* 1: with ODP, fault pages in at once */
	unsigned int threads;		    /* for touching and copying; 0: the CPUs given to us */
	pinreg_progress_function *progress; /* of touching cold memory, or NULL */
	void *progress_context;
	unsigned int windows; /* 1: peers come through memory windows only: window.h */
};

/* What the caller should know though it is not refused. Bits of plan.warnings. */
#define PINREG_WARN_PRIVATE_COPIES 1u /* writes land in copies, never in the file */
#define PINREG_WARN_MIXED_KINDS 2u    /* the strictest kind decided for all */
#define PINREG_WARN_PATH_MTU 4u	      /* right only at path MTU why.mtu */
#define PINREG_WARN_WHOLE_PAGES 8u    /* right only for page-aligned whole pages */
#define PINREG_WARN_MUST_COMMIT 16u   /* a shadow: commit and refresh move the data */
#define PINREG_WARN_HUGE_END 32u      /* ends inside a huge page, all of which is pinned */

/* The decision. Written whole on success of pinreg_plan(). */
struct pinreg_plan {
	size_t size;		   /* set by the caller */
	enum pinreg_method method; /* never AUTO */
	unsigned int access;	   /* IBV_ACCESS_* to be given to the kernel */
	uint64_t addr;
	uint64_t length;
	enum pinreg_granularity granularity; /* that transfers must keep to */
	enum pinreg_trust odp_trust;	     /* UNTESTED where ODP was no question */
	struct pinreg_why why;		     /* with ODP: a connection's path MTU must be why.mtu */
	unsigned int warnings;		     /* PINREG_WARN_* */
	uint64_t iova;	    /* what work requests address; of a shadow not known yet: 0 */
	uint64_t pin_bytes; /* whole pages that would be pinned, bytes */
};

/*
 * pinreg_plan -- decide how [addr, addr + length) would be registered.
 *
 * opts: as for pinreg_region_register(); NULL for the defaults.
 * out: set out->size before the call.
 * Return: 0 with a plan, also when that plan is a refusal (out->method is
 * REFUSE and out->why.error what registering would return), or
 *   -EINVAL  domain or out is NULL, or out->size is unknown;
 *   -ENOMEM  no memory;
 *   another -errno of looking at the memory map or the port.
 * Thread: any. Since: 0.1
 */
int pinreg_plan(struct pinreg_domain *domain, const void *addr, size_t length,
		const struct pinreg_region_opts *opts, struct pinreg_plan *out)
	PINREG_ONLY_ADDRESS(2);

/*
 * pinreg_plan_describe -- the plan in one sentence: method and why.
 * Return: the length as snprintf, or -EINVAL. Thread: any. Since: 0.1
 */
int pinreg_plan_describe(const struct pinreg_plan *plan, char *buf, size_t len);

/*
 * pinreg_warning_name -- one bit of plan.warnings in a word, e.g. "path-mtu".
 * Return: a constant string; "?" for what is no warning. Thread: any. Since: 0.1
 */
const char *pinreg_warning_name(unsigned int warning);

/*
 * pinreg_method_name -- "pin", "odp", "staged", "dmabuf", "refuse", "auto".
 * Thread: any. Since: 0.1
 */
const char *pinreg_method_name(enum pinreg_method method);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
