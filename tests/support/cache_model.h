/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache_model.h -- what a cache must do, by a list that is searched from end to end.
 *
 * The list has every registration of the tagged device. Each call on the cache is made on
 * the model too, which fails the case where the answer, the registrations or a counter is
 * another. Memory is that of pages[]: some are mapped, some of these can be written.
 */
#ifndef PINREG_TESTS_SUPPORT_CACHE_MODEL_H
#define PINREG_TESTS_SUPPORT_CACHE_MODEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <pinreg/cache.h>

#include "support/tagged_device.h"

#define MODEL_REGIONS 1024u
#define MODEL_HOLDS 24u
#define MODEL_PAGES 32u

/* What became of a registration. */
enum model_state {
	MODEL_FREE,
	MODEL_NEW,    /* made by the call under way */
	MODEL_KEPT,   /* given to whoever asks */
	MODEL_SINGLE, /* of who asked, and deregistered by him */
	MODEL_LEFT,   /* given to nobody any more */
};

struct model_region {
	enum model_state state;
	uint64_t start, end;
	unsigned int access;
	unsigned int holds;
	uint32_t stamp;		       /* registrations when it was used last */
	bool was_idle;		       /* before the call under way */
	uint64_t number;	       /* registrations with it */
	_Atomic(uint64_t) tried_after; /* so many registrations */
	_Atomic(bool) tried;	       /* somebody has begun to deregister it */
	_Atomic(bool) gone;	       /* it is deregistered */
};

struct model_hold {
	struct pinreg_region *handle; /* NULL: none */
	struct model_region *region;
	struct pinreg_keys keys;
};

struct model_page {
	bool mapped, writable;
};

struct cache_model {
	struct pinreg_cache_opts opts;
	struct pinreg_cache *cache;
	unsigned char *arena;
	struct model_page pages[MODEL_PAGES];
	uint64_t state; /* of what is random */
	/* one in so many fails; 0: none */
	_Atomic(unsigned int) register_fails, deregister_fails;
	struct model_region regions[MODEL_REGIONS];
	struct model_hold holds[MODEL_HOLDS];
	struct pinreg_cache_info expected;	       /* its counters */
	uint32_t now;				       /* registrations that were kept */
	_Atomic(int) register_error, deregister_error; /* that the device gave last */
	uint64_t calls;
};

/* Opens a cache with nothing mapped; skips the case where its monitor cannot be had. */
void cache_model_open(struct cache_model *model, struct pinreg_domain *domain,
		      const struct pinreg_cache_opts *opts);
/* Puts everything. */
void cache_model_close(struct cache_model *model);

/* On a thread of its own, or on this one. The hold must be free, or not. */
void cache_model_get(struct cache_model *model, struct model_hold *hold, uint64_t start,
		     uint64_t end, unsigned int access, bool elsewhere);
void cache_model_put(struct cache_model *model, struct model_hold *hold, bool elsewhere);
void cache_model_invalidate(struct cache_model *model, uint64_t start, uint64_t end);

/*
 * Around what changes the pages: what is on them goes. Begin, change, end.
 * ASSUMPTIONS: begin is told which pages; the change fills what it maps.
 */
void cache_model_begin_change(struct cache_model *model, unsigned int first, unsigned int count);
void cache_model_end_change(struct cache_model *model, unsigned int first, unsigned int count);

/* Everything that is counted or held is right. */
void cache_model_check(struct cache_model *model);

#endif
