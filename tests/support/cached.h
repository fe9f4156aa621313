/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cached.h -- a cache on the tagged device, and memory to ask it for.
 */
#ifndef PINREG_TESTS_SUPPORT_CACHED_H
#define PINREG_TESTS_SUPPORT_CACHED_H

#include <pinreg/cache.h>

#include "support/tagged_device.h"

#define CACHED_ALL (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)
#define CACHED_PAGE TAGGED_PAGE

/* The ones in use; there is one of each in a process. */
extern struct pinreg_domain *cached_domain;
extern struct pinreg_cache *cached_cache;

/* opts NULL: all defaults. Skips the case where its monitor cannot be had. */
void cached_open(const struct pinreg_cache_opts *opts);
/* With this monitor and else the defaults. */
void cached_open_as(enum pinreg_monitor monitor);
/* And the domain. Nothing is left registered. */
void cached_close(void);

/* Private anonymous pages that can be written, filled; nobody else maps there. */
unsigned char *cached_pages(unsigned int count);

/* A region that leads to the range; keys may be NULL. Fails the case where there is none. */
struct pinreg_region *cached_get(void *addr, size_t length, unsigned int access,
				 struct pinreg_keys *keys);
/* What it gives where it gives no region; fails the case where it gives one. */
int cached_refused(void *addr, size_t length, unsigned int access, struct pinreg_why *why);
void cached_put(struct pinreg_region *region);

/* Get and put: was it there? */
bool cached_hit(void *addr, size_t length, unsigned int access);

struct pinreg_cache_info cached_info(void);

/* Fails the case unless so many are registered, or are in the end. */
void cached_expect_live(uint64_t count);

#endif
