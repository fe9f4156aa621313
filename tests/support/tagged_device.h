/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tagged_device.h -- a device that remembers what memory each registration was made on.
 *
 * The first eight bytes of a page are its tag; who maps memory writes new ones. A
 * registration keeps the tags it finds. As long as they are those that are in memory a
 * real device's pinned pages would be those of the mapping. When they are not the region
 * is stale. Everything but verbs is the real operating system.
 */
#ifndef PINREG_TESTS_SUPPORT_TAGGED_DEVICE_H
#define PINREG_TESTS_SUPPORT_TAGGED_DEVICE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pinreg/pinreg.h>

#include "sys/sys.h"

#define TAGGED_PAGE 4096u
#define TAGGED_MAX 65536u /* registrations at once */

/* One registration. Its memory is used again, and never freed. */
struct tagged_mr {
	struct ibv_mr mr;      /* the first */
	_Atomic(uint32_t) key; /* 0: it is registered no more */
	unsigned int access;
	uint64_t addr, length;
	uint64_t *tags; /* of each page it touches */
	size_t room;
	void *model; /* of who wants it */
};

struct tagged_device {
	/* 0, or the -errno that registering gives; with none of the device's locks held */
	int (*registers)(void *addr, size_t length, unsigned int access);
	int (*deregisters)(struct tagged_mr *mr);
	/* after it was done, under the device's lock */
	void (*registered)(struct tagged_mr *mr);
	void (*deregistered)(struct tagged_mr *mr);
	bool filled_only; /* a page without a tag cannot be registered: -EFAULT */
	bool no_tags;	  /* none are kept */
	_Atomic(uint64_t) made, live;
};

extern struct tagged_device tagged_device;

/* The table of the device, to be changed before tagged_domain(). One for the process. */
extern struct pinreg_sys tagged_sys;

/* Sets tagged_sys and the device up as new, unless that was done; first thing of a case. */
void tagged_set_up(void);

/* A domain on it, whose ODP is trusted; opts may be NULL. And its end: nothing is left. */
struct pinreg_domain *tagged_domain(const struct pinreg_domain_opts *opts);
void tagged_domain_close(struct pinreg_domain *domain);

/* New tags for all pages of a range. */
void tagged_fill(void *addr, size_t length);

/* Whose keys these are; NULL: they are dead. */
struct tagged_mr *tagged_find(const struct pinreg_keys *keys);

/*
 * Do the keys lead to what is in the range? False and what is wrong, in a buffer of the
 * thread, if they are dead, do not cover it, lack rights or are stale.
 */
bool tagged_leads(const struct pinreg_keys *keys, const void *addr, size_t length,
		  unsigned int access, const char **wrong);

/* Fails the case where they do not. */
void tagged_check(const struct pinreg_keys *keys, const void *addr, size_t length,
		  unsigned int access);

#endif
