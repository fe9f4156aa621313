/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pmem.h -- FILE: the leased mapping, its two regions, and who may touch it.
 *
 * While the file is away memory of nobody is in its place: what is read or stored there
 * counts for nothing. So no pointer into the mapping leaves this file. Every access is a
 * copy that is inside of a region, which a fence waits for, in pieces that are short beside
 * the time a break leaves; and none begins while the gate is shut.
 *
 * What peers reach need not be the mapping: it may be a pinned shadow of it. So
 * what they wrote is looked at after pmem_arrived() only, and every local store
 * is shown to them. With other methods the same calls cost next to nothing.
 */
#ifndef PMEM_STORE_PMEM_H
#define PMEM_STORE_PMEM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <pinreg/pinreg.h>

#include "format.h"

#define PMEM_PIECE (64u * 1024u) /* longest access between two looks at the gate */

enum pmem_gate {
	PMEM_SHUT,     /* away: nobody */
	PMEM_CHECKING, /* back: recovery only */
	PMEM_SERVING,  /* recovered: everybody */
};

struct pmem {
	struct pinreg_file *file;
	struct pinreg_region *head; /* superblock and index: remote reads */
	struct pinreg_region *data; /* remote reads and writes */
	uint64_t head_id;	    /* of their descriptors, for the life of the regions */
	uint64_t data_id;
	struct superblock layout; /* as it follows from the length; no uuid */
	uint8_t *base;
	enum pinreg_granularity granularity; /* of the peers' transfers */
	unsigned int needed_mtu;	     /* path MTU in bytes; 0: any */
	bool created;			     /* it was not there before */

	pthread_mutex_t lock; /* guards what follows */
	enum pmem_gate gate;
	uint64_t generation;
	uint32_t rkey; /* of the data, to be printed */
};

/*
 * Open FILE (size 0: as it is), prepare, lease, and register it. It prints what
 * was decided. Return: 0 or -errno, with the reason in why. The gate is at CHECKING.
 */
int pmem_open(struct pmem *pmem, struct pinreg_domain *domain, const char *path, uint64_t size,
	      enum pinreg_granularity granularity, struct pinreg_why *why);
/* FILE keeps what it has. After -EBUSY and the like there is nothing to do but exit. */
int pmem_close(struct pmem *pmem);

/* Nothing begins from now on. For what is under way the fence waits. */
void pmem_shut(struct pmem *pmem);
/* Back with new keys: recovery may begin. */
int pmem_back(struct pmem *pmem);
/* Recovered. False when the gate was shut meanwhile. */
bool pmem_serve(struct pmem *pmem, uint64_t generation);

struct pmem_view {
	enum pmem_gate gate;
	uint64_t generation;
	uint32_t rkey;
};
struct pmem_view pmem_look(struct pmem *pmem);

/*
 * Accesses. offset is that in FILE. Return: 0, -EAGAIN when the file is away,
 * or the -errno of making it durable. pmem_write() and pmem_word() are durable
 * and seen by peers when they return 0. pmem_arrived() brings home what peers wrote
 * into these very bytes, and makes it durable.
 */
int pmem_read(struct pmem *pmem, uint64_t offset, void *to, size_t length);
int pmem_write(struct pmem *pmem, uint64_t offset, const void *from, size_t length);
int pmem_word(struct pmem *pmem, uint64_t offset, uint64_t value); /* 8 bytes at once */
int pmem_arrived(struct pmem *pmem, uint64_t offset, uint64_t length);

#endif
