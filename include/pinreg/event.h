/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * event.h -- what the owner of a file must know.
 *
 *   BREAK       somebody else wants the file; stop using it, then
 *               pinreg_file_ack(), or be fenced at deadline_ns
 *   LEASE_LOST  the lease was gone before the fence: others may have had the
 *               file while keys still worked; FENCED follows. The kernel takes it
 *               away when lease-break-time is over (this process was stopped, or
 *               the kernel held up the fence); or somebody let it go through a copy
 *               of the descriptor, which no signal tells: that is found when leases
 *               are asked for another reason
 *   FENCED      all keys of the file are dead and the lease is released; at its
 *               addresses there is memory of nobody now: what is stored there
 *               reaches no file, and is gone when the file is back
 *   RESTORED    held again, same address, new keys, generation + 1
 *   LOST        it will not come back; close it
 *   ADMITTED    a reader was let in to a sealed file; its keys stay
 *   DEVICE      of the RDMA device, not of a file; only with opts->device_events of
 *               pinreg_domain_open()
 *
 * The owner takes them by pinreg_domain_next_event(), or has a function called
 * (opts->on_event of pinreg_domain_open()).
 */
#ifndef PINREG_EVENT_H
#define PINREG_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include <pinreg/file.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

enum pinreg_event_type {
	PINREG_EVENT_BREAK = 1,
	PINREG_EVENT_FENCED = 2,
	PINREG_EVENT_RESTORED = 3,
	PINREG_EVENT_LOST = 4,
	PINREG_EVENT_LEASE_LOST = 5,
	PINREG_EVENT_DEVICE = 6,
	PINREG_EVENT_ADMITTED = 7,
};

/* Who broke the lease, as far as the kernel tells. */
enum pinreg_breaker {
	PINREG_BREAKER_NONE = 0,
	PINREG_BREAKER_READER = 1, /* opened for reading */
	PINREG_BREAKER_WRITER = 2, /* opened for writing, or truncated */
	/* nobody waits: the path leads elsewhere, and PINREG_REPLACED_FOLLOW was set */
	PINREG_BREAKER_REPLACED = 3,
};

/* What became of the device. */
enum pinreg_device_event {
	PINREG_DEVICE_NONE = 0,
	PINREG_DEVICE_PORT_DOWN = 1, /* connections over it fail; regions stay */
	PINREG_DEVICE_PORT_UP = 2,
	PINREG_DEVICE_FATAL = 3, /* it has stopped; close everything on it */
	/*
	 * It is being removed. Close everything on it, the protection domain and its context
	 * last: there are drivers whose removal waits for that, and work until then.
	 */
	PINREG_DEVICE_REMOVED = 4,
};

struct pinreg_event {
	size_t size; /* set by the caller */
	enum pinreg_event_type type;
	struct pinreg_file *file; /* NULL: DEVICE */
	uint64_t generation;	  /* of the file, after the event; of a BREAK: to acknowledge */
	enum pinreg_breaker breaker;
	uint64_t deadline_ns;	/* BREAK: CLOCK_MONOTONIC time of the fence */
	uint64_t held_up_ns;	/* FENCED: from noticing the break to the release */
	uint64_t away_ns;	/* RESTORED: from the release to now */
	uint64_t old_size;	/* RESTORED, LOST: of the file before, bytes */
	uint64_t new_size;	/* RESTORED, LOST: as it was found, bytes */
	uint64_t zeroed;	/* RESTORED: bytes that read zero now and held data or
				   nothing before */
	uint64_t zeroed_offset; /* RESTORED: the first of them */
	unsigned int missed;	/* events of this file dropped before this one */
	struct pinreg_why why;	/* LOST, LEASE_LOST: the reason */
	uint64_t length;	/* RESTORED: bytes that are served now */
	unsigned int replaced;	/* RESTORED: 1: another inode, to which the path leads now */
	enum pinreg_device_event device; /* DEVICE */
	unsigned int port;		 /* DEVICE: which one; 0: all of it */
};

/*
 * pinreg_domain_event_fd -- a descriptor that polls readable while events wait.
 * Return: the descriptor, which belongs to the domain and must not be read or
 * closed; -EINVAL for NULL, -EBUSY where the domain calls a function for its
 * events. Thread: any. Since: 0.1
 */
int pinreg_domain_event_fd(struct pinreg_domain *domain);

/*
 * pinreg_domain_next_event -- take the oldest event.
 *
 * out: set out->size before the call. Never blocks.
 * Return: 0, -EAGAIN if there is none, -EINVAL for a NULL argument or an
 * unknown size, -EBUSY where the domain calls a function for its events.
 * Thread: any. Since: 0.1
 */
int pinreg_domain_next_event(struct pinreg_domain *domain, struct pinreg_event *out);

/*
 * pinreg_event_name -- "break", "fenced", "restored", "lost", "lease-lost",
 * "device" or "admitted". Thread: any. Since: 0.1
 */
const char *pinreg_event_name(enum pinreg_event_type type);

/*
 * pinreg_device_event_name -- "port-down", "port-up", "fatal" or "removed".
 * Thread: any. Since: 0.1
 */
const char *pinreg_device_event_name(enum pinreg_device_event event);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
