/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * event.h -- what the owner of a file must know.
 *
 *   BREAK     somebody else wants the file; stop using it, then
 *             pinreg_file_ack(), or be fenced at deadline_ns
 *   FENCED    all keys of the file are dead and the lease is released; at its
 *             addresses there is memory of nobody now: what is stored there
 *             reaches no file, and is gone when the file is back
 *   RESTORED  held again, same address, new keys, generation + 1
 *   LOST      it will not come back; close it
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
};

/* Who broke the lease, as far as the kernel tells. */
enum pinreg_breaker {
	PINREG_BREAKER_NONE = 0,
	PINREG_BREAKER_READER = 1, /* opened for reading */
	PINREG_BREAKER_WRITER = 2, /* opened for writing, or truncated */
};

struct pinreg_event {
	size_t size; /* set by the caller */
	enum pinreg_event_type type;
	struct pinreg_file *file;
	uint64_t generation; /* of the file, after the event */
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
	struct pinreg_why why;	/* LOST: the reason */
};

/*
 * pinreg_domain_event_fd -- a descriptor that polls readable while events wait.
 * Return: the descriptor, which belongs to the domain and must not be read or
 * closed, or -EINVAL for NULL. Thread: any. Since: 0.1
 */
int pinreg_domain_event_fd(struct pinreg_domain *domain);

/*
 * pinreg_domain_next_event -- take the oldest event.
 *
 * out: set out->size before the call. Never blocks.
 * Return: 0, -EAGAIN if there is none, -EINVAL for a NULL argument or an
 * unknown size. Thread: any. Since: 0.1
 */
int pinreg_domain_next_event(struct pinreg_domain *domain, struct pinreg_event *out);

/*
 * pinreg_event_name -- "break", "fenced", "restored" or "lost".
 * Thread: any. Since: 0.1
 */
const char *pinreg_event_name(enum pinreg_event_type type);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
